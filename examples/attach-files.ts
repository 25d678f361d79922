// Attaches files to an image and says what refers to it then.
// node examples/attach-files.ts registry.example/app:1 application/spdx+json sbom.json
import { connect, copyContent, packArtifact, parseReference, withDefaultTag } from 'katman'

const [name = '', artifactType = '', ...paths] = process.argv.slice(2)
const reference = withDefaultTag(parseReference(name))
await using registry = await connect()
const repository = registry.repository(reference)
const subject = await repository.resolve(reference.digest ?? reference.tag ?? '')
await using packed = await packArtifact({
  files: paths.map((path) => ({ path })),
  artifactType,
  subject,
})
await copyContent(packed, repository, packed.root)
for (const { artifactType: type, digest } of await repository.referrers(subject)) {
  console.log(type, digest)
}
