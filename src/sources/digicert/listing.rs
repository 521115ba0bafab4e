//! Turning the pages of the orders until one comes back empty.
//!
//! The server's own count is not followed: it can be too low, too high or 0. What ends the listing is an empty page, and what ends a
//! server that never sends one is a limit.

use super::document::{Order, OrderPage};
use super::{Asker, ReadError};
use std::collections::HashMap;

/// How many pages in a row may bring nothing new: a server that does not heed the offset would otherwise be asked thousands of times.
const STALLS: usize = 5;

/// All orders, each once, as it was seen last; in order of their first appearance.
pub(super) async fn read(asker: &mut Asker<'_>, page: usize) -> Result<Vec<Order>, ReadError> {
    let mut found = Found::default();
    let (mut offset, mut stalls, mut promised, mut body) = (0, 0, 0, Vec::new());
    for number in 1..=asker.http.limits.pages {
        let what = format!("GET /order/certificate page {number}");
        let failed = |why: String| ReadError::new(&format!("{what}: {why}"));
        let url = asker.address(&format!("/order/certificate?limit={page}&offset={offset}&sort=order_id"));
        let answer = asker.http.get(&url, &what, &mut asker.waiting, body).await.map_err(|refusal| refusal.error)?;
        let (orders, total) = OrderPage::parse(&answer.body)
            .map_err(|why| failed(format!("the answer is no page of the list of orders: {why}")))?;
        promised = total.max(promised);
        if orders.is_empty() {
            return match promised {
                1.. if offset == 0 => Err(failed(format!("it says that there are {promised} orders, and lists none"))),
                _ => Ok(found.orders),
            };
        }
        // By what came, not by what was asked for: a server may make its pages smaller.
        offset += orders.len();
        let news = found.add(orders).map_err(failed)?;
        stalls = if news { 0 } else { stalls + 1 };
        if stalls == STALLS {
            return Err(failed(format!("the listing runs in a circle: {STALLS} pages in a row brought nothing new")));
        }
        body = answer.body;
    }
    let pages = asker.http.limits.pages;
    Err(ReadError::new(&format!("GET /order/certificate: the listing does not end; {pages} pages were read")))
}

#[derive(Default)]
struct Found {
    orders: Vec<Order>,
    places: HashMap<u64, usize>,
}

impl Found {
    /// Whether any of them is new.
    fn add(&mut self, orders: Vec<Order>) -> Result<bool, String> {
        let before = self.orders.len();
        for order in orders {
            let id = order.id.number().ok_or("an order's id is not a number")?;
            match self.places.get(&id) {
                Some(place) => self.orders[*place] = order,
                None => {
                    self.places.insert(id, self.orders.len());
                    self.orders.push(order);
                }
            }
        }
        Ok(self.orders.len() > before)
    }
}
