// Expiry Watch as a scheduled job in Azure Container Apps: `once` polls, delivers what is due and ends.
//
// For those who want nothing to run all day. What it costs: no status page, no metrics, no /health, and nothing is noticed between two
// runs. Either this or main.bicep, never both: they have the same share, and its file has no locks between two (see main.bicep).
targetScope = 'resourceGroup'

@description('The name of the job, and the beginning of the names of what it needs.')
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

@description('The configuration, TOML. It holds no secrets. Where it says 00000000-0000-0000-0000-000000000000, the client id of the identity is put. Its [schedule] does not count for `once`; set stale_after of the sources to more than two runs.')
param configuration string

@description('The key vault that keeps the secrets of the watch itself.')
param vaultName string

@description('Secrets of the watch itself: `env` is the name in the configuration, { env = "NAME" }; `secret` the name in the vault, after a slash a version if it is not to be the newest.')
param secrets array = [
  {
    env: 'EXPIRY_WATCH_HTTP_TOKEN'
    secret: 'watch-http-token'
  }
  {
    env: 'DIGICERT_API_KEY'
    secret: 'watch-digicert-key'
  }
]

@description('When: minute hour day month weekday, in UTC whatever the zone of the configuration. 15:00 UTC is 8:00 in Vancouver. A zone that changes its clock sees it move by an hour.')
param cron string = '0 15 * * *'

@description('A subnet for the environment alone, see base.bicep. Needed to read nodes inside a virtual network.')
param subnetId string = ''

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

// Explained in main.bicep.
var stateMount = 'uid=65532,gid=65532,dir_mode=0700,file_mode=0600,nobrl,cache=strict,nosharesock'

module base 'base.bicep' = {
  name: '${name}-base'
  params: {
    name: name
    location: location
    subnetId: subnetId
    logDays: logDays
  }
}

module share 'share.bicep' = {
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

resource job 'Microsoft.App/jobs@2025-01-01' = {
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
      triggerType: 'Schedule'
      // One at a time. The next attempt of a failed run reads again, and tells nobody twice: the state knows who was told.
      scheduleTriggerConfig: {
        cronExpression: cron
        parallelism: 1
        replicaCompletionCount: 1
      }
      replicaRetryLimit: 1
      // In seconds, and well below the time between two runs. A source is given up after 30 s of waiting.
      replicaTimeout: 900
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
    }
    template: {
      containers: [
        {
          name: 'expiry-watch'
          image: image
          args: [
            'once'
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
          ])
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          volumeMounts: [
            {
              volumeName: 'state'
              mountPath: '/var/lib/expiry-watch/state'
            }
            {
              volumeName: 'configuration'
              mountPath: '/etc/expiry-watch'
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'state'
          storageType: 'AzureFile'
          storageName: share.outputs.storageName
          mountOptions: stateMount
        }
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
      ]
    }
  }
}

@description('The storage account that keeps the state, for backups.')
output stateAccount string = share.outputs.accountName

@description('Whom the grants are for.')
output principalId string = identity.properties.principalId
