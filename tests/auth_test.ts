/** `authenticateBasic`, function and method, and `challenge`. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { authenticateBasic, challenge } from "../auth.ts";
import { type ResponseDictionary, WebServer } from "../mod.ts";
import { rawRequest, running } from "./helpers.ts";

const users = { Aladdin: "open sesame", "": "nobody", empty: "", test: "123£" };
const token = (credentials: string | Uint8Array) => encodeBase64(credentials);

Deno.test("authenticateBasic() accepts the vectors of RFC 7617", () => {
  assert(authenticateBasic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", users));
  assert(authenticateBasic("Basic dGVzdDoxMjPCow==", users));
});

Deno.test("authenticateBasic() reads a token with or without its scheme, in any letter case, with any spaces", () => {
  const encoded = token("Aladdin:open sesame");
  for (const scheme of ["", "Basic ", "basic ", "BASIC ", "bAsIc    "]) {
    assert(authenticateBasic(scheme + encoded, users), scheme);
  }
});

Deno.test("authenticateBasic() accepts users as a Record or a Map", () => {
  const map = new Map(Object.entries(users));
  for (const userPasswords of [users, map, { __proto__: null, ...users }]) {
    assert(authenticateBasic(token("Aladdin:open sesame"), userPasswords as typeof users));
    assert(!authenticateBasic(token("Aladdin:close sesame"), userPasswords as typeof users));
  }
});

Deno.test("authenticateBasic() splits at the first colon, and accepts empty users and passwords", () => {
  assert(authenticateBasic(token("a:b:c"), { a: "b:c" }));
  assert(!authenticateBasic(token("a:b:c"), { "a:b": "c" }));
  assert(authenticateBasic(token(":nobody"), users));
  assert(authenticateBasic(token("empty:"), users));
  assert(!authenticateBasic(token(":"), users));
});

Deno.test("authenticateBasic() refuses a wrong password, an unknown user and another user's password", () => {
  for (const credentials of ["Aladdin:", "Aladdin:Open sesame", "Aladdin:open sesame ", "aladdin:open sesame"]) {
    assert(!authenticateBasic(token(credentials), users), credentials);
  }
  for (const credentials of ["unknown:", "unknown:open sesame", "test:open sesame"]) {
    assert(!authenticateBasic(token(credentials), users), credentials);
  }
});

Deno.test("authenticateBasic() does not find users in Object's prototype", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    for (const password of ["", "undefined", "[object Object]"]) {
      assert(!authenticateBasic(token(`${name}:${password}`), {}), name);
      assert(!authenticateBasic(token(`${name}:${password}`), new Map()), name);
    }
  }
});

Deno.test("authenticateBasic() refuses invalid tokens without throwing", () => {
  const encoded = token("Aladdin:open sesame");
  const malformed = [undefined, null, "", " ", "Basic", "Basic ", "Bearer abc", `Digest ${encoded}`, `Basic${encoded}`]
    .concat(["Basic %%%", `Basic ${encoded} ${encoded}`, `Basic\t${encoded}`, `Basic ${encoded}\n`, "Basic YQ=a", "A"])
    .concat([
      `${encoded}=`,
      `${encoded}==`,
      "=",
      "☃",
      token("no colon"),
      `Basic ${token("Aladdin:x")}, Basic ${encoded}`,
    ]);
  for (const value of malformed) assert(!authenticateBasic(value, users), String(value));
  assert(!authenticateBasic(5 as never, users));
  assert(!authenticateBasic(token("a:5"), { a: 5 } as never));
});

Deno.test("authenticateBasic() refuses control characters and bytes that are not UTF-8", () => {
  for (const character of ["\0", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f"]) {
    assert(!authenticateBasic(token(`a:b${character}`), { a: `b${character}` }), escape(character));
    assert(!authenticateBasic(token(`a${character}:b`), { [`a${character}`]: "b" }), escape(character));
  }
  const latin1 = new Uint8Array([...new TextEncoder().encode("a:"), 0xe9]);
  assert(!authenticateBasic(token(latin1), { a: "é" }));
  assert(!authenticateBasic(token(latin1), { a: "\ufffd" }));
});

Deno.test("authenticateBasic() accepts base64 without padding, and refuses wrong padding", () => {
  for (const encoded of ["YTpi", "YTo", "YTo=", "YQ", "OmI", "YTpiYg", "YTpiYg=="]) {
    const [user, password] = atob(encoded).split(":");
    assertEquals(authenticateBasic(encoded, { [user!]: password ?? "" }), password !== undefined, encoded);
  }
  for (const encoded of ["YTpi=", "YTpi==", "YTo==", "YTpiYg=", "YTpiYg===", "YTpiY", "YT=pi", "YTpi YTpi", "YTpi-_"]) {
    assert(!authenticateBasic(encoded, { a: "b", "a:b": "b", "": "b" }), encoded);
  }
});

Deno.test("authenticateBasic() keeps a byte order mark as part of the user", () => {
  assert(!authenticateBasic(token("\ufeffa:b"), { a: "b" }));
});

Deno.test("authenticateBasic() refuses a megabyte of token", () => {
  assert(!authenticateBasic(`Basic ${"QUFB".repeat(262_144)}`, users));
  assert(!authenticateBasic("Basic ".repeat(170_000), users));
  assert(!authenticateBasic(" ".repeat(1_000_000), users));
});

Deno.test("authenticateBasic() throws a TypeError for users of the wrong type", () => {
  for (const userPasswords of [undefined, null, "Aladdin"]) {
    assertThrows(() => authenticateBasic("x", userPasswords as never), TypeError, "userPasswords");
  }
});

Deno.test("webServer.authenticateBasic() guards a page with the Authorization header", async () => {
  await using subject = await running({
    onHTTPRequest(webServer, request, response) {
      const known = webServer.authenticateBasic(request["authorization"], users);
      response.statusCode = known ? 200 : 401;
      if (!known) response["WWW-Authenticate"] = 'Basic realm="test"';
      return response;
    },
  });
  const status = async (headers: HeadersInit) => {
    const answer = await fetch(subject.url, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  assertEquals(await status({}), 401);
  assertEquals(await status({ authorization: `Basic ${token("Aladdin:open sesame")}` }), 200);
  assertEquals(await status({ authorization: `Basic ${token("Aladdin:wrong")}` }), 401);
  assert(new WebServer().authenticateBasic(token("Aladdin:open sesame"), users));
});

const fresh = (): ResponseDictionary => ({ statusCode: 404, statusReason: "Not Found", data: "" });

Deno.test("challenge() sends 401 and asks for Basic credentials in UTF-8", async () => {
  await using subject = await running({
    onHTTPRequest: (_webServer, _request, response) => challenge(response, "panel"),
  });
  const answer = await rawRequest(subject.port, "GET /");
  assert(answer.startsWith("HTTP/1.1 401 Unauthorized\r\n"), answer);
  assert(/^www-authenticate: Basic realm="panel", charset="UTF-8"\r$/im.test(answer), answer);
});

Deno.test("challenge() quotes the realm, so that it cannot end early", () => {
  const response = challenge(fresh(), `a "b" \\ c\\`);
  assertEquals(response["WWW-Authenticate"], `Basic realm="a \\"b\\" \\\\ c\\\\", charset="UTF-8"`);
});

Deno.test("challenge() refuses a realm that would need other characters, and leaves the response as it was", () => {
  for (const realm of ["a\r\nSet-Cookie: b=c", "a\0", "\x7f", "Bühne", "\u2603"]) {
    const response = fresh();
    assertThrows(() => challenge(response, realm), RangeError, "Cannot challenge");
    assertEquals(response, fresh());
  }
});

Deno.test("challenge() returns the response it was given", () => {
  const response = fresh();
  assert(challenge(response, "") === response);
  assertEquals(response["WWW-Authenticate"], 'Basic realm="", charset="UTF-8"');
});
