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
  readonly tag: string
  readonly push: string
  readonly copy: string
  readonly search: string
  readonly save: string
  readonly load: string
  readonly keyPair: string
  readonly sign: string
  readonly verify: string
  readonly referrers: string
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
    tag: 'Give the image a name in another repository. Nothing is copied.',
    push: 'Push it there: what the registry has elsewhere is mounted, not sent.',
    copy: 'Copy from registry to registry, with every platform. The store is not asked.',
    search: 'Search the registry by name, as docker search does.',
    save: 'Save it to a file that docker loads, and that is an OCI layout, too.',
    load: 'Load the file. The image is here already, so it stays the same, by its digest.',
    keyPair: 'Make a key pair. cosign can use it, too.',
    sign: 'Sign the image in the registry.',
    verify: 'Check the signature: made with this key, over exactly this digest.',
    referrers: 'What refers to the image in the registry: its signature.',
    remove: 'Remove them all. Layers go when the last image that uses them goes.',
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
    tag: 'İmaja başka bir havuzda ad verin. Hiçbir şey kopyalanmaz.',
    push: 'Oraya gönderin: sunucunun başka yerde tuttuğu katman yeniden gönderilmez, bağlanır.',
    copy: 'Sunucudan sunucuya, bütün platformlarla kopyalayın. Depoya sorulmaz.',
    search: 'Sunucuda ada göre arayın; docker search gibi.',
    save: 'Dosyaya kaydedin: docker da yükler, aynı zamanda bir OCI düzenidir.',
    load: 'Dosyayı yükleyin. İmaj zaten burada, özetiyle aynı kalır.',
    keyPair: 'Bir anahtar çifti üretin. cosign da kullanabilir.',
    sign: 'İmajı sunucuda imzalayın.',
    verify: 'İmzayı doğrulayın: bu anahtarla, tam bu özet için atılmış.',
    referrers: 'Sunucuda imaja başvuranlar: imzası.',
    remove: 'Hepsini silin. Bir katman, onu kullanan son imajla birlikte gider.',
    fsck: 'Deponun her baytı denetlenir.',
    done: (seconds) => `Bitti, süre (saniye): ${seconds}`,
    kept: (root, host) =>
      `Depo burada kalıyor: ${root}. Kayıt sunucusu Ctrl-C'ye kadar açık: ${host}`,
    removed: 'Gösteri deposu silindi; sizinkine dokunulmadı. Sıradaki: katman pull alpine',
  },
}
