// An example, like main.bicepparam; for the scheduled job.
using 'job.bicep'

param image = 'registry.example.ca/expiry-watch:0.1.0'
param vaultName = 'kv-example'
param configuration = loadTextContent('expiry-watch.toml')
param cron = '0 15 * * *'
