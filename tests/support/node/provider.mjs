// An OAuth server that nobody here wrote (npm oidc-provider), with rotating refresh tokens, and the
// one endpoint of Qonto that a login needs. Prints its address; settings come as JSON in argv[2]:
// {"client_id", "client_secret", "redirect_uri", "scope", "known_scopes", "organizations"}.
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const settings = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: settings.client_id,
        client_secret: settings.client_secret,
        redirect_uris: [settings.redirect_uri],
        grant_types: ["authorization_code", "refresh_token"],
        token_endpoint_auth_method: "client_secret_post",
        application_type: "native",
        scope: settings.scope,
      },
    ],
    scopes: settings.known_scopes.split(" "), // the client may ask for `scope` only
    extraParams: ["identity_type"],
    routes: {
      authorization: "/oauth2/auth",
      token: "/oauth2/token",
      revocation: "/oauth2/revoke",
    },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    issueRefreshToken: async () => true, // OpenID wants prompt=consent for offline_access
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, RefreshToken: 90 * 86400, AuthorizationCode: 600 },
    findAccount: async (ctx, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
  });
  const pages = provider.callback();
  server.on("request", async (request, response) => {
    if (request.url !== "/v2/user_organizations") return pages(request, response);
    const bearer = (request.headers.authorization ?? "").replace("Bearer ", "");
    const token = await provider.AccessToken.find(bearer);
    response.writeHead(token ? 200 : 401, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ organizations: token ? settings.organizations : [] }));
  });
  console.log(url);
});
