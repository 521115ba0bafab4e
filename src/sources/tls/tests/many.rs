//! Many targets at once.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_targets_do_not_keep_the_others_waiting() {
    let ours = Authority::new();
    let issued = ours.issue(|_| {});
    let well = serve(&issued, vec![issued.der.clone(), ours.intermediate_der.clone()], Manner::default()).await;
    let silent = answer(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let each =
        |place: usize, address: SocketAddr| Target { server_name: format!("n{place}.example"), ..target(address) };
    let targets: Vec<_> = (0..40).map(|n| each(n, if n % 2 == 0 { silent } else { well })).collect();
    let (begun, timeout) = (Instant::now(), Duration::from_secs(2));
    let found = probe_all(targets, 4, timeout, &ours.trust(), now()).await;
    assert!(begun.elapsed() < timeout + Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(found.len(), 40);
    for (place, (at, result)) in found.into_iter().enumerate() {
        assert_eq!(at.target.server_name, format!("n{place}.example"));
        match result {
            Ok(served) => assert!(place % 2 == 1 && matches!(served.trust, Err(Untrusted::WrongHost { .. }))),
            Err(error) => assert_eq!(error, ProbeError::TimedOut { step: Step::Handshake, after: timeout }),
        }
    }
}

#[tokio::test]
async fn each_address_is_probed_once_and_a_name_without_any_is_said() {
    let ours = Authority::new();
    let issued = ours.issue(|_| {});
    let well = serve(&issued, vec![issued.der.clone(), ours.intermediate_der.clone()], Manner::default()).await;
    let nowhere = Target { host: "nowhere.invalid".to_owned(), ..target(well) };
    let found = probe_all(vec![nowhere, target(well), target(well)], 4, PATIENCE, &ours.trust(), now()).await;
    let addresses: Vec<_> = found.iter().map(|(at, _)| at.address).collect();
    assert_eq!(addresses, [None, Some(well)]);
    assert!(found[0].1.is_err());
    assert_eq!(found[1].1.as_ref().unwrap().trust, Ok(()));
}

#[tokio::test]
async fn nothing_to_probe_is_done_at_once() {
    assert!(probe_all(vec![], 4, PATIENCE, &Authority::new().trust(), now()).await.is_empty());
}
