// An example. Copy it together with the configuration, and make both yours:
//   cp config/production.toml deploy/azure/expiry-watch.toml
using 'main.bicep'

param image = 'registry.example.ca/expiry-watch:0.1.0'
param vaultName = 'kv-example'
param configuration = loadTextContent('expiry-watch.toml')
// With their versions, the last part of what `az keyvault secret set ... --query id` prints: main.bicep says why.
param secrets = [
  {
    env: 'EXPIRY_WATCH_HTTP_TOKEN'
    secret: 'watch-http-token/VERSION'
  }
  {
    env: 'DIGICERT_API_KEY'
    secret: 'watch-digicert-key/VERSION'
  }
]

// Taken out for a first try; with it, the pages are served to the virtual network.
// param subnetId = '/subscriptions/.../resourceGroups/.../providers/Microsoft.Network/virtualNetworks/vnet/subnets/container-apps'
// param operatorRanges = [ '192.0.2.0/24' ]
// param registry = 'example.azurecr.io'
