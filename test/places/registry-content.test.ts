import { openContentPlace } from '../../packages/registry/src/replication/content-place.ts'
import { openTestContent } from '../../packages/registry/test/proxy/content.ts'
import { referrerSuite } from '../../packages/transfer/test/referrer-suite.ts'
import { targetSuite } from '../../packages/transfer/test/target-suite.ts'

const open = async () => {
  const test = await openTestContent()
  return {
    place: openContentPlace(test.content, 'team/app'),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  }
}

targetSuite('a repository of the registry itself', open)
referrerSuite('a repository of the registry itself', open)
