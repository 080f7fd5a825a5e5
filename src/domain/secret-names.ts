/**
 * Names that say by themselves that what stands under them is a secret, whatever it looks like. Errs on the side of taking
 * too much, like the masking of texts.
 */
const SECRET =
  /authorization|cookie|token|secret|passw(?:or)?d|passphrase|credential|apikey|privatekey|accesskey|verifier|sessionid/;
/** Headers are named more freely, and few are missed where they are shown. */
const SECRET_HEADER = /auth|key|session|jwt|assertion|signature|hmac|csrf|xsrf|ticket|nonce|otp|oidc|saml|proof|dpop/;

/** Of a log field, a setting, a member. */
export function isSecretField(name: string): boolean {
  return SECRET.test(plain(name));
}

export function isSecretHeader(name: string): boolean {
  const said = plain(name);
  return SECRET.test(said) || SECRET_HEADER.test(said);
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}
