// oidc-provider as an identity provider on loopback: `node op.mjs CONFIG.json`.
//
// CONFIG: { port, clients: [client metadata], people: {account: {claims}} }. Prints one line once it serves.
// Signing in is its own development page: any password is good, the login is the account.
// GET  /test/events      what happened so far, oldest first: [{what, ...}]
// POST /test/keys?keep=  sign with fresh keys; keep=1 goes on publishing the old ones

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';

import Provider from 'oidc-provider';

const { port, clients, people } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `http://127.0.0.1:${port}`;
const events = [];

function freshKeys() {
  const made = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  };
  return Object.entries(made).map(([alg, { privateKey }]) => (
    { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() }
  ));
}

async function findAccount(ctx, sub) {
  if (!(sub in people)) return undefined;
  return { accountId: sub, claims: () => ({ sub, ...people[sub] }) };
}

function outgoing(url, options) {
  // Its guard against private addresses would also keep it from a gateway on loopback.
  delete options.dispatcher;
  return fetch(url, options);
}

// What the provider remembers; it outlives a change of keys, which makes a new Provider.
const kept = new Map();

class Memory {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload) {
    kept.set(`${this.model}:${id}`, payload);
  }

  async find(id) {
    return kept.get(`${this.model}:${id}`);
  }

  async findByUid(uid) {
    return [...kept].find(([key, held]) => key.startsWith(`${this.model}:`) && held.uid === uid)?.[1];
  }

  async consume(id) {
    kept.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    kept.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const [key, held] of kept) if (held.grantId === grantId) kept.delete(key);
  }
}

function provider(keys) {
  const made = new Provider(issuer, {
    adapter: Memory,
    claims: {
      openid: ['sub', 'oid', 'badge', 'https://claims.example/office'],
      profile: ['name', 'given_name', 'family_name', 'preferred_username', 'groups'],
      email: ['email', 'email_verified'],
    },
    clients,
    cookies: { keys: ['a cookie secret for tests'] },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
    fetch: outgoing,
    findAccount,
    jwks: { keys },
    pkce: { required: () => true },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
  });
  const note = (what, told) => events.push({ what, ...told });
  made.on('authorization.accepted', ({ oidc: { params } }) => {
    note('asked', { method: params.code_challenge_method, challenge: params.code_challenge, client: params.client_id });
  });
  made.on('grant.success', ({ oidc: { params, client } }) => {
    note('granted', { verifier: params.code_verifier, client: client.clientId, auth: client.clientAuthMethod });
  });
  made.on('grant.error', (ctx, error) => note('refused', { error: error.error, detail: error.error_detail }));
  made.on('backchannel.success', (ctx, client) => note('told', { client: client.clientId }));
  made.on('backchannel.error', (ctx, error, client) => note('not_told', { client: client.clientId, error: String(error) }));
  made.on('server_error', (ctx, error) => note('broke', { error: String(error) }));
  return made.callback();
}

let keys = freshKeys();
let serve = provider(keys);

const own = {
  'GET /test/events': () => events,
  'POST /test/keys': (query) => {
    keys = [...freshKeys(), ...(query.get('keep') ? keys : [])];
    serve = provider(keys);
    return { published: keys.map((key) => key.kid) };
  },
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, issuer);
  const answer = own[`${request.method} ${url.pathname}`];
  if (!answer) return serve(request, response);
  response.setHeader('Content-Type', 'application/json');
  return response.end(JSON.stringify(answer(url.searchParams)));
});
server.listen(port, '127.0.0.1', () => process.stdout.write('ready\n'));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
