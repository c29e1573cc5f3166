/** Bytes, or the UTF-8 of a string, as base64 with padding. */
export declare function encodeBase64(data: ArrayBuffer | Uint8Array | string): string;
/** The bytes of a base64 string; throws where it is malformed. */
export declare function decodeBase64(b64: string): Uint8Array<ArrayBuffer>;
