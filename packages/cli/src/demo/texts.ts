/** Every sentence the demo says, in one language. */
export interface DemoTexts {
  readonly welcome: string
  readonly registryStarted: (host: string) => string
  readonly pushed: string
  readonly manifestInspect: string
  readonly pull: string
  readonly images: string
  readonly inspect: string
  readonly history: string
  readonly layers: string
  readonly pullDigest: string
  readonly secondPull: (requests: number) => string
  readonly moveTag: string
  readonly pullMoved: string
  readonly dangling: string
  readonly remove: string
  readonly fsck: string
  readonly done: (seconds: string) => string
  readonly kept: (root: string, host: string) => string
  readonly removed: string
}

export type DemoLanguage = 'en' | 'tr'

/** The language of the demo: `--lang`, else `KATMAN_LANG`, `LC_ALL`, `LC_MESSAGES`, `LANG`; English otherwise. */
export function demoLanguage(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): DemoLanguage {
  const wanted =
    flag || env['KATMAN_LANG'] || env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || 'en'
  return /^tr(?:[_.-]|$)/i.test(wanted) ? 'tr' : 'en'
}

export const demoTexts: Readonly<Record<DemoLanguage, DemoTexts>> = {
  en: {
    welcome: 'Katman, from pull to rmi, on a store and a registry made for this demo.',
    registryStarted: (host) => `A registry is running inside this process, at ${host}.`,
    pushed: 'A small image for two platforms was made in code and pushed to it.',
    manifestInspect: 'Ask the registry what it has. Nothing is downloaded.',
    pull: 'Pull by tag: the platform is chosen, both hashes of every layer are checked.',
    images: 'What is in the store now, with the digest the tag stood for.',
    inspect: 'The image as data. RootFS.Layers are the hashes of the uncompressed layers.',
    history: 'How it was made, newest step first. Steps that made no layer have 0B.',
    layers: 'What each layer adds, changes and hides, and the bytes that wastes.',
    pullDigest: 'Pull by digest: it cannot change, so this is the same image, by its exact name.',
    secondPull: (requests) =>
      `Pull again: the registry was asked ${requests} question${requests === 1 ? '' : 's'}, and no blob moved.`,
    moveTag: 'Somebody pushes a new image under the same tag.',
    pullMoved: 'Pull the moved tag: the shared layer is there already, only the new one travels.',
    dangling: 'The old image lost its tag but is still known by its digest.',
    remove: 'Remove both. Layers go when the last image that uses them goes.',
    fsck: 'The store is checked, every byte of it.',
    done: (seconds) => `Done in ${seconds} s.`,
    kept: (root, host) =>
      `The store stays at ${root}, the registry at ${host} until you press Ctrl-C.`,
    removed: 'The demo store is gone. Yours was not touched. Next: katman pull alpine',
  },
  tr: {
    welcome:
      'Katman, pull komutundan rmi komutuna, bu gösteri için açılan depo ve kayıt sunucusuyla.',
    registryStarted: (host) => `Bu sürecin içinde bir kayıt sunucusu çalışıyor: ${host}`,
    pushed: 'İki platformlu küçük bir imaj kodla üretildi ve sunucuya gönderildi.',
    manifestInspect: 'Sunucuda ne olduğunu sorun. Hiçbir şey indirilmez.',
    pull: 'Etiketle çekin: platform seçilir, her katmanın iki özeti de doğrulanır.',
    images: 'Depoda şimdi olanlar, etiketin gösterdiği özetle birlikte.',
    inspect: 'Veri olarak imaj. RootFS.Layers, açılmış katmanların özetleridir.',
    history: 'Nasıl yapıldığı, en yeni adım üstte. Katman üretmeyen adımlar 0B.',
    layers: 'Her katmanın ne eklediği, neyi değiştirip örttüğü ve bunun israf ettiği bayt.',
    pullDigest: 'Özetle çekin: özet değişmez; aynı imaj, tam adıyla.',
    secondPull: (requests) =>
      `Yeniden çekin: sunucuya ${requests} soru soruldu, hiçbir blob taşınmadı.`,
    moveTag: 'Biri aynı etikete yeni bir imaj gönderiyor.',
    pullMoved: 'Taşınan etiketi çekin: ortak katman zaten var, yalnız yenisi gelir.',
    dangling: 'Eski imaj etiketini yitirdi, ama özetiyle hâlâ biliniyor.',
    remove: 'İkisini de silin. Bir katman, onu kullanan son imajla birlikte gider.',
    fsck: 'Deponun her baytı denetlenir.',
    done: (seconds) => `Bitti, süre (saniye): ${seconds}`,
    kept: (root, host) =>
      `Depo burada kalıyor: ${root}. Kayıt sunucusu Ctrl-C'ye kadar açık: ${host}`,
    removed: 'Gösteri deposu silindi; sizinkine dokunulmadı. Sıradaki: katman pull alpine',
  },
}
