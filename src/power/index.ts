/** The room's public interface: other rooms import from here. */
export * from './confirm-off.ts';
export type { PowerDevice, PowerReading, PowerState } from './device.ts';
export { PowerError, type PowerErrorReason } from './error.ts';
export { type IpmiDeviceOptions, ipmiDevice } from './ipmi/device.ts';
export { type RedfishDeviceOptions, redfishDevice } from './redfish/device.ts';
export { type WakeOnLan, type WakeOnLanOptions, wakeOnLan } from './wake-on-lan.ts';
