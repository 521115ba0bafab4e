// What the service and the scheduled job have in common: an environment of Container Apps and its log. Knows no image, no configuration
// and no secret of the watch.

@description('Begins the name of everything that is made here.')
param name string

@description('Where everything stands.')
param location string

@description('A subnet for the environment alone: delegated to Microsoft.App/environments, /27 or larger, with the service endpoints Microsoft.Storage and, where a vault is closed to other networks, Microsoft.KeyVault; its security group has to let port 445 out. Empty: a network of the platform, which reaches nothing private. It cannot be changed later.')
param subnetId string

@description('For how long the log is kept, in days.')
@minValue(30)
@maxValue(730)
param logDays int

var isPrivate = !empty(subnetId)

// ------------------------------------------------------------------------------------------------------------------ the log

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-${name}'
  location: location
  properties: {
    retentionInDays: logDays
    sku: {
      name: 'PerGB2018'
    }
  }
}

// By way of a diagnostic setting, and not by the workspace's shared key, which would be one more secret.
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-${workspace.name}'
  scope: surroundings
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'ContainerAppConsoleLogs'
        enabled: true
      }
      {
        category: 'ContainerAppSystemLogs'
        enabled: true
      }
    ]
  }
}

// -------------------------------------------------------------------------------------------------------------- the environment

// With a subnet the environment is internal: its one address lies in the virtual network, and nothing in it can be reached from the
// internet, whatever an app's ingress says.
resource surroundings 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: 'cae-${name}'
  location: location
  properties: {
    appLogsConfiguration: {
      destination: 'azure-monitor'
    }
    vnetConfiguration: isPrivate ? {
      infrastructureSubnetId: subnetId
      internal: true
    } : null
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
  }
}

@description('The environment, for the app or the job.')
output environmentId string = surroundings.id

@description('Its name, for what is put into it.')
output environmentName string = surroundings.name

@description('Where the environment answers: an address of the virtual network if there is a subnet.')
output address string = surroundings.properties.staticIp
