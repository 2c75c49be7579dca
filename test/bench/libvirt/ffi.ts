import koffi from 'koffi';

/** libvirt.so called through koffi: what a Node program has that does not speak the protocol itself. */
export interface Ffi {
  /** Runs on a thread of koffi's, as calls must in a program that has anything else to do meanwhile. */
  state(uuid: string): Promise<number>;
  xmlLength(uuid: string): Promise<number>;
  close(): void;
}

type Callback = (error: unknown, result: unknown) => void;
type Threaded = (...args: unknown[]) => Promise<unknown>;

/** @param call a koffi function with its `async` form. */
function onThread(call: { async: (...args: unknown[]) => void }): Threaded {
  return (...args) =>
    new Promise((resolve, reject) => {
      const settle: Callback = (error, result) => (error ? reject(error) : resolve(result));
      call.async(...args, settle);
    });
}

export function openFfi(uri: string): Ffi {
  const library = koffi.load('libvirt.so.0');
  const connection = koffi.pointer('virConnectPtr', koffi.opaque('virConnect'));
  const domain = koffi.pointer('virDomainPtr', koffi.opaque('virDomain'));
  const text = koffi.disposable('HeapText', 'str', koffi.free);
  const open = library.func('virConnectOpen', connection, ['str']);
  const close = library.func('virConnectClose', 'int', [connection]);
  const lookup = library.func('virDomainLookupByUUIDString', domain, [connection, 'str']);
  const intOut = () => koffi.out(koffi.pointer('int'));
  const getState = onThread(library.func('virDomainGetState', 'int', [domain, intOut(), intOut(), 'uint']));
  const getXml = onThread(library.func('virDomainGetXMLDesc', text, [domain, 'uint']));

  const conn: unknown = open(uri);
  if (conn === null) throw new Error(`libvirt.so cannot open ${uri}`);
  const domains = new Map<string, unknown>();
  const domainOf = (uuid: string): unknown => {
    const known = domains.get(uuid) ?? lookup(conn, uuid);
    domains.set(uuid, known);
    return known;
  };
  return {
    async state(uuid) {
      const state = [0];
      const failed = await getState(domainOf(uuid), state, [0], 0);
      if (failed !== 0) throw new Error(`virDomainGetState of ${uuid} failed`);
      return state[0] ?? 0;
    },
    async xmlLength(uuid) {
      return String(await getXml(domainOf(uuid), 0)).length;
    },
    close: () => close(conn),
  };
}
