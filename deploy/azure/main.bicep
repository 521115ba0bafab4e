// Expiry Watch as a service in Azure Container Apps: one replica, its state on a file share, its secrets in a key vault.
//
// Whoever deploys this needs Contributor on the resource group, and no more: it assigns no roles. The identity has to be there and to
// have its grants beforehand (`grant`), because the platform fetches the secrets while it deploys. Upgrade with `upgrade`, which
// stops the old replica before the new one starts; why that matters is explained at `stateMount`. See ../README.md.
targetScope = 'resourceGroup'

@description('The name of the app, and the beginning of the names of what it needs.')
@minLength(2)
@maxLength(24)
param name string = 'expiry-watch'

@description('Where everything stands.')
param location string = resourceGroup().location

@description('The image, best by its digest: registry.example.ca/expiry-watch@sha256:...')
param image string

@description('The registry that needs a sign-in, by the identity (role AcrPull): example.azurecr.io. Empty: the image is public.')
param registry string = ''

@description('The user-assigned identity, in this resource group. Make it first: az identity create.')
param identityName string = 'id-expiry-watch'

@description('The configuration, TOML. It holds no secrets. Where it says 00000000-0000-0000-0000-000000000000, the client id of the identity is put.')
param configuration string

@description('The key vault that keeps the secrets of the watch itself. Not the ones it watches, though it may be one of them.')
param vaultName string

@description('Secrets of the watch itself: `env` is the name in the configuration, { env = "NAME" }; `secret` the name in the vault and, after a slash, its version. Without a version the platform starts a new replica beside the old one within half an hour of each change in the vault, and the state is not made for two. Feed tokens as well: { env: \'CCAAS_FEED_TOKEN\', secret: \'feed-token-ccaas/0123...\' }.')
param secrets array

@description('A subnet for the environment alone, see base.bicep. With it the pages are served to the virtual network, and to nobody else.')
param subnetId string = ''

@description('Ranges of addresses, CIDR, that may see the pages. Without a subnet: nobody outside the environment unless listed here. With one: everybody in the network unless listed here.')
param operatorRanges array = []

@description('Also open port 8081 (http.feed_listen) in the virtual network, for a gateway that publishes the calendar feeds. Needs a subnet.')
param feedPort bool = false

@description('What says that a replica may be asked. /health is 503 when the state cannot be used, polling has stopped or every source is stale, and the ingress then serves no page; choose /health/live to see the page and the metrics even then, and watch /health from outside.')
@allowed([
  '/health'
  '/health/live'
])
param readiness string = '/health'

@description('The state is in PostgreSQL, as `state.url` of the configuration says: no share is made or mounted, and a deployment starts the new replica beside the old one, which hands over within seconds.')
param onDatabase bool = false

@description('Which log lines: tracing directives.')
param log string = 'info'

@description('See share.bicep.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param redundancy string = 'Standard_ZRS'

@description('See share.bicep.')
@minValue(0)
@maxValue(1)
param storageKey int = 0

@description('See base.bicep.')
@minValue(30)
@maxValue(730)
param logDays int = 90

// The state is one SQLite file on an SMB share.
//
// nobrl     SQLite takes its locks on byte ranges, and to write it turns a shared lock into an exclusive one over the same bytes.
//           SMB's locks are mandatory and cannot be turned: the server refuses the client's own lock, and everything ends in
//           "database is locked". `nobrl` keeps locks on the client. They still hold between processes on the same mount, and no
//           longer between two replicas: hence one replica, and `upgrade` stops it first. (A lease in the file lets one process
//           lead; it does not keep two from writing at once to a file without locks.)
// journal   The service uses a rollback journal, never a write-ahead log, which needs memory that is shared and that no network file
//           system has; and BEGIN IMMEDIATE, so that a change has its write lock from the start.
// cache     strict: no stale page is read back. fsync reaches the server, since `nostrictsync` is not given.
// uid, gid  The image runs as 65532. Nobody else needs to read the file.
//
// What else there is: PostgreSQL (`onDatabase`), which needs none of this, nor a stop for each upgrade, and is one more thing to pay
// for and to look after. NFS shares have real locks, but need a premium account, a network, and a share whose root belongs to root,
// which our user may not write. An ephemeral volume forgets everything at each restart: whoever had been told is told once more. A job
// that runs `once` (job.bicep) has the same file, open for a minute a day. On Kubernetes there are disks.
var stateMount = 'uid=65532,gid=65532,dir_mode=0700,file_mode=0600,nobrl,cache=strict,nosharesock'

var hasPages = !empty(subnetId) || !empty(operatorRanges)
var opensFeed = feedPort && !empty(subnetId)

module base 'base.bicep' = {
  name: '${name}-base'
  params: {
    name: name
    location: location
    subnetId: subnetId
    logDays: logDays
  }
}

module share 'share.bicep' = if (!onDatabase) {
  name: '${name}-share'
  params: {
    name: name
    location: location
    environmentName: base.outputs.environmentName
    subnetId: subnetId
    redundancy: redundancy
    storageKey: storageKey
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

// The file is mounted as a secret volume because that is the platform's only way to hand over a file with the deployment: what runs
// is then what was reviewed, and whoever can write to the share cannot change who is told. On a share it could be edited in place,
// unseen. It names secrets and holds none. It belongs to the app and not to a revision: going back means deploying the older file too.
var settings = replace(configuration, '00000000-0000-0000-0000-000000000000', identity.properties.clientId)

var fromVault = [for item in secrets: {
  name: toLower(split(item.secret, '/')[0])
  keyVaultUrl: 'https://${vaultName}${environment().suffixes.keyvaultDns}/secrets/${item.secret}'
  identity: identity.id
}]

var asVariables = [for item in secrets: {
  name: item.env
  secretRef: toLower(split(item.secret, '/')[0])
}]

var allowed = [for (cidr, index) in operatorRanges: {
  name: 'operators-${index}'
  action: 'Allow'
  ipAddressRange: cidr
}]

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: name
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: base.outputs.environmentId
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      maxInactiveRevisions: 5
      registries: empty(registry) ? [] : [
        {
          server: registry
          identity: identity.id
        }
      ]
      secrets: concat(fromVault, [
        {
          name: 'configuration'
          value: settings
        }
      ])
      // An app has one HTTP ingress, with TLS at the platform's edge. `external` means: from outside the environment. In an internal
      // environment that is the virtual network; in one without a subnet it would be the internet, so there it is off unless
      // ranges are named. The pages ask for the access token in any case.
      ingress: {
        external: hasPages
        targetPort: 8080
        transport: 'http'
        allowInsecure: false
        ipSecurityRestrictions: allowed
        traffic: [
          {
            latestRevision: true
            weight: 100
          }
        ]
        // The feed has no ingress of its own. Further ports are plain TCP: no TLS, no certificate, and a feed's address is its
        // password. So port 8081 is opened into the virtual network only, and only on demand; a gateway that you run (Application
        // Gateway, Front Door by private link) brings the TLS and publishes that port, which serves feeds and /health/live and
        // nothing else. A second app for the feed is not possible: it would need the same file.
        additionalPortMappings: opensFeed ? [
          {
            external: true
            targetPort: 8081
            exposedPort: 8081
          }
        ] : []
      }
    }
    template: {
      // A message that is being sent gets three seconds, and the lease is given back: all is over within five.
      terminationGracePeriodSeconds: 15
      containers: [
        {
          name: 'expiry-watch'
          image: image
          args: [
            'run'
          ]
          env: concat(asVariables, [
            {
              name: 'EXPIRY_WATCH_CONFIG'
              value: '/etc/expiry-watch/expiry-watch.toml'
            }
            {
              name: 'EXPIRY_WATCH_LOG'
              value: log
            }
            {
              name: 'EXPIRY_WATCH_LOG_FORMAT'
              value: 'json'
            }
            {
              // A changed secret makes no new revision by itself; this does.
              name: 'CONFIGURATION_DIGEST'
              value: uniqueString(settings)
            }
          ])
          // The smallest there is. The service stays below 64 MB.
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          volumeMounts: concat(onDatabase ? [] : [
            {
              volumeName: 'state'
              mountPath: '/var/lib/expiry-watch/state'
            }
          ], [
            {
              volumeName: 'configuration'
              mountPath: '/etc/expiry-watch'
            }
          ])
          probes: [
            {
              type: 'Startup'
              httpGet: {
                path: '/health/live'
                port: 8080
                scheme: 'HTTP'
              }
              initialDelaySeconds: 1
              periodSeconds: 3
              failureThreshold: 10
            }
            {
              // Only whether the process turns. A source that is down is no reason to restart: nothing would get better.
              type: 'Liveness'
              httpGet: {
                path: '/health/live'
                port: 8080
                scheme: 'HTTP'
              }
              periodSeconds: 30
              timeoutSeconds: 5
              failureThreshold: 3
            }
            {
              type: 'Readiness'
              httpGet: {
                path: readiness
                port: 8080
                scheme: 'HTTP'
              }
              periodSeconds: 15
              timeoutSeconds: 5
              failureThreshold: 4
            }
          ]
        }
      ]
      // Exactly one. It works by the clock, so it must not scale to none. A file has no locks between two; with a database there could be
      // more, but the ingress leads Prometheus now to the one and now to the other, and their counters and leases differ.
      scale: {
        minReplicas: 1
        maxReplicas: 1
      }
      volumes: concat(onDatabase ? [] : [
        {
          name: 'state'
          storageType: 'AzureFile'
          storageName: share.outputs.storageName
          mountOptions: stateMount
        }
      ], [
        {
          name: 'configuration'
          storageType: 'Secret'
          secrets: [
            {
              secretRef: 'configuration'
              path: 'expiry-watch.toml'
            }
          ]
        }
      ])
    }
  }
}

@description('Where the pages are: from the virtual network, from the ranges, or from inside the environment only.')
output url string = 'https://${app.properties.configuration.ingress.fqdn}'

@description('For a private DNS zone of the environment, and for a gateway in front of the feed.')
output address string = base.outputs.address

@description('The storage account that keeps the state, for backups; empty where a database does.')
output stateAccount string = onDatabase ? '' : share.outputs.accountName

@description('Whom the grants are for.')
output principalId string = identity.properties.principalId
