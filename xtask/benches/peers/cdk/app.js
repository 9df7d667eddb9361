// The race's stacks for CDK: the rendered templates, with the zips as assets.

const fs = require('node:fs');
const path = require('node:path');
const { App, Stack } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { Asset } = require('aws-cdk-lib/aws-s3-assets');

const folder = process.env.RACE_INPUTS;
const input = (name) => path.join(folder, name);
const env = { account: '000000000000', region: 'us-east-1' };

const app = new App();
const users = new Stack(app, 'media-uploader-cognito-local', { env });
const usersTemplate = new CfnInclude(users, 'Template', { templateFile: input('cognito.json') });
const media = new Stack(app, 'media-uploader-api-local', { env });
const mediaTemplate = new CfnInclude(media, 'Template', {
  templateFile: input('api-cdk.json'),
  parameters: { MainUserPoolArn: usersTemplate.getResource('MainUserPool').attrArn },
});

for (const [id, zip] of Object.entries(JSON.parse(fs.readFileSync(input('zips.json'))))) {
  const asset = new Asset(media, `${id}Zip`, { path: path.join(folder, 'artifacts', zip) });
  const place = { s3Bucket: asset.s3BucketName, s3Key: asset.s3ObjectKey };
  const resource = mediaTemplate.getResource(id);
  resource[resource.cfnResourceType === 'AWS::Lambda::LayerVersion' ? 'content' : 'code'] = place;
}
