import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { selfSignedCertificate, signedCertificate } from './certificate.js';

describe('certificates for tests', () => {
  const authority = selfSignedCertificate('test authority');
  const [ca, other] = [authority, selfSignedCertificate('another authority')].map(
    ({ certificate }) => new X509Certificate(certificate),
  ) as [X509Certificate, X509Certificate];

  it('one of an authority vouches for itself', () => {
    expect(ca).toMatchObject({ ca: true, subject: 'CN=test authority', issuer: 'CN=test authority' });
    expect(ca.verify(ca.publicKey)).toBe(true);
  });

  it('one that is signed names its host and address, and comes of that authority alone', () => {
    const { certificate } = signedCertificate('localhost', authority, '127.0.0.1');
    const signed = new X509Certificate(certificate);
    expect([signed.checkIssued(ca), signed.verify(ca.publicKey), signed.ca]).toEqual([true, true, false]);
    expect([signed.checkIssued(other), signed.verify(other.publicKey)]).toEqual([false, false]);
    expect([signed.checkHost('localhost'), signed.checkIP('127.0.0.1')]).toEqual(['localhost', '127.0.0.1']);
    expect(signed.checkHost('elsewhere.example')).toBeUndefined();
    expect(
      new X509Certificate(signedCertificate('localhost', authority).certificate).checkIP('127.0.0.1'),
    ).toBeUndefined();
  });
});
