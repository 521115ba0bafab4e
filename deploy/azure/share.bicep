// The share that keeps the state, and how it is called in the environment. Not needed where a database keeps it.

@description('Begins the name of everything that is made here.')
param name string

@description('Where everything stands.')
param location string

@description('The environment that mounts it.')
param environmentName string

@description('The subnet of the environment, which alone may reach the share then. Empty: there is none.')
param subnetId string

@description('How many copies of the share the platform keeps, and where. Standard_ZRS is not offered in every region; Standard_LRS is.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param redundancy string

@description('Which of the two keys of the storage account mounts the share: 0 or 1. Deploy with the other one, then renew the first.')
@minValue(0)
@maxValue(1)
param storageKey int

// Unique in the world, lower case and digits, 24 at most: 2 and 9 and the 13 of uniqueString.
var accountName = 'st${take(replace(toLower(name), '-', ''), 9)}${uniqueString(resourceGroup().id, name)}'
var isPrivate = !empty(subnetId)

resource surroundings 'Microsoft.App/managedEnvironments@2025-01-01' existing = {
  name: environmentName
}

// Container Apps have no disks, only file shares. SMB is mounted by the account's key; there is no way to do it by an identity, so
// the key has to be allowed. It opens the state (who was told of what), never a secret.
resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: denied as soon as there is a subnet; the policy cannot see through the condition
  // checkov:skip=CKV_AZURE_59: nothing in it is public (allowBlobPublicAccess); the endpoint is open to the subnet, or to the platform
  // checkov:skip=CKV_AZURE_206: a parameter, which defaults to copies in three zones
  // checkov:skip=CKV_AZURE_43: the name is computed: lower case and digits, 24 at most
  name: accountName
  location: location
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      // Without a subnet the platform mounts from addresses that nobody can list.
      defaultAction: isPrivate ? 'Deny' : 'Allow'
      virtualNetworkRules: isPrivate ? [
        {
          id: subnetId
          action: 'Allow'
        }
      ] : []
    }
  }
}

resource files 'Microsoft.Storage/storageAccounts/fileServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    protocolSettings: {
      smb: {
        versions: 'SMB3.1.1'
        authenticationMethods: 'NTLMv2'
        channelEncryption: 'AES-128-GCM;AES-256-GCM'
      }
    }
    // A share that was deleted by mistake can be brought back for so long.
    shareDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource share 'Microsoft.Storage/storageAccounts/fileServices/shares@2025-01-01' = {
  parent: files
  name: 'state'
  properties: {
    accessTier: 'TransactionOptimized'
    enabledProtocols: 'SMB'
    // In GiB. The state of 10,000 credentials is a few megabytes.
    shareQuota: 1
  }
}

resource storage 'Microsoft.App/managedEnvironments/storages@2025-01-01' = {
  parent: surroundings
  name: 'state'
  properties: {
    azureFile: {
      accountName: account.name
      accountKey: account.listKeys().keys[storageKey].value
      shareName: share.name
      accessMode: 'ReadWrite'
    }
  }
}

@description('The name of the storage in the environment, for a volume.')
output storageName string = storage.name

@description('The storage account that keeps the state, for backups.')
output accountName string = account.name
