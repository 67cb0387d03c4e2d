// For azd and `az deployment group create`: azuredeploy.json is the source, this only calls it
// (docs/adr/0010-arm-json-is-the-source.md).
targetScope = 'resourceGroup'

@description('Where everything is deployed.')
param location string = resourceGroup().location

@description('What every name begins with; 2 to 11 characters.')
@minLength(2)
@maxLength(11)
param prefix string = 'firstlight'

@description('The hub\'s size: F1 (free), S1, S2 or S3.')
param hubSku string = 'S1'

@description('The https URL of the Cloud ID service\'s public key.')
param tokenKeyUrl string

@description('Whether manifests uploaded to the container manifests are read.')
param manifestUploads bool = false

@description('Who hears the alerts; without one they only show.')
param alertEmail string = ''

module kit 'azuredeploy.json' = {
  name: 'firstlight'
  params: {
    location: location
    prefix: prefix
    hubSku: hubSku
    tokenKeyUrl: tokenKeyUrl
    manifestUploads: manifestUploads
    alertEmail: alertEmail
  }
}

output interopURL string = kit.outputs.interopURL
output subscriptionId string = kit.outputs.subscriptionId
output idScope string = kit.outputs.idScope
