// Tries the example plug-ins outside a server: node Examples/plugins/tests/check.mjs (after Examples/plugins/build).
// It plays the host of docs/plugins.md ("ABI"): frames in, frames out, a fresh instance for each call, effects that
// take hold after it. Useful as a pattern for tests of your own plug-ins; it needs nothing but node 18 or later.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const folder = process.env.WSEMAIL_PLUGINS ?? new URL("../../../.build-plugins/", import.meta.url).pathname;
const tags = { role: 1, eventID: 2, messageID: 3, from: 4, to: 5, cc: 6, date: 7, inReplyTo: 8, size: 9, trait: 10, attachment: 11,
  attachmentName: 12, mediaType: 13, sha256: 14, recipient: 15, hops: 16, domain: 17, subject: 18, text: 19, html: 20, principal: 23,
  method: 24, extensionIdentifier: 26, requestXML: 27, address: 28, setting: 29, name: 30, value: 31, verdict: 64, reason: 65,
  folder: 66, flag: 67, drop: 68, target: 69, replacement: 70, seconds: 71, transient: 72, answerXML: 73, abi: 96, describedRole: 97,
  sender: 112 };
const names = Object.fromEntries(Object.entries(tags).map(([name, tag]) => [tag, name]));

/** Fields [name, value]… as a frame. */
function frame(...fields) {
  return Buffer.concat(fields.flatMap(([name, value]) => {
    const octets = Buffer.from(value), head = Buffer.alloc(5);
    head.writeUInt8(tags[name], 0);
    head.writeUInt32LE(octets.length, 1);
    return [head, octets];
  }));
}

/** A frame as {name: [values]}. */
function fields(octets) {
  const result = {};
  for (let at = 0; at < octets.length;) {
    const count = octets.readUInt32LE(at + 1);
    assert.ok(at + 5 + count <= octets.length, "a field is longer than its frame");
    (result[names[octets[at]]] ??= []).push(octets.subarray(at + 5, at + 5 + count).toString("utf8"));
    at += 5 + count;
  }
  return result;
}

/** A plug-in with its stored values, time and the messages it sent. */
class Plugin {
  constructor(name, settings = {}) {
    this.module = new WebAssembly.Module(readFileSync(`${folder}/${name}.wasm`));
    this.settings = settings;
    this.values = new Map();
    this.time = Date.parse("2026-11-23T22:00:00Z");
    this.sent = [];
  }

  instance(effects) {
    let exports;
    const read = (at, count) => Buffer.from(new Uint8Array(exports.memory.buffer, at >>> 0, count >>> 0));
    const give = (octets) => {
      const at = exports.alloc(octets.length) >>> 0;
      assert.notEqual(at, 0, "alloc failed");
      new Uint8Array(exports.memory.buffer, at, octets.length).set(octets);
      return BigInt(at) << 32n | BigInt(octets.length);
    };
    const wsemail = {
      log: (level, at, count) => { this.logged = read(at, count).toString(); },
      now: () => BigInt(this.time),
      kv_get: (at, count) => {
        const key = read(at, count).toString("latin1");
        const value = effects.values.has(key) ? effects.values.get(key) : this.values.get(key);
        return value === undefined || value === null ? 0n : give(value);
      },
      kv_set: (at, count, valueAt, valueCount) => {
        assert.ok(count >= 1 && count <= 512 && valueCount <= 65536);
        effects.values.set(read(at, count).toString("latin1"), read(valueAt, valueCount));
        return 0;
      },
      kv_delete: (at, count) => { effects.values.set(read(at, count).toString("latin1"), null); return 0; },
      kv_list: (at, count, cursorAt, cursorCount, limit) => {
        const prefix = read(at, count).toString("latin1"), cursor = read(cursorAt, cursorCount).toString("latin1");
        const keys = [...this.values.keys()].filter((key) => key.startsWith(prefix) && key > cursor).sort().slice(0, limit);
        return keys.length ? give(frame(...keys.map((key) => ["name", Buffer.from(key, "latin1")]))) : 0n;
      },
      send: (at, count) => { effects.sent.push(fields(read(at, count))); return 0; },
      lookup: () => 0,
    };
    exports = new WebAssembly.Instance(this.module, { wsemail }).exports;
    exports._initialize?.();
    const take = (packed) => {
      packed = BigInt.asUintN(64, packed);
      return packed === 0n ? null : fields(read(Number(packed >> 32n), Number(packed & 0xFFFFFFFFn)));
    };
    return { describe: () => take(exports.describe()),
      handle: (kind, event) => { const at = give(event); return take(exports.handle(kind, Number(at >> 32n), event.length)); } };
  }

  describe() { return this.instance({ values: new Map(), sent: [] }).describe(); }

  call(kind, role, ...event) {
    const effects = { values: new Map(), sent: [] };
    const settings = Object.entries(this.settings).map(([name, value]) => ["setting", frame(["name", name], ["value", value])]);
    const answer = this.instance(effects).handle(kind, frame(["role", role], ...settings, ...event));
    for (const [key, value] of effects.values) if (value === null) this.values.delete(key); else this.values.set(key, value);
    this.sent.push(...effects.sent);
    return answer ?? { verdict: ["proceed"] };
  }

  submit(...attachments) {
    return this.call(1, "sending", ...message({}), ...attachments.map(([attachmentName, mediaType, size], index) => ["attachment",
      frame(["attachmentName", attachmentName], ["mediaType", mediaType], ["size", `${size}`], ["sha256", digest(index)])]));
  }
  deliver(recipient, facts = {}) {
    return this.call(2, "delivery", ["eventID", "e1"], ...message({ to: [recipient], ...facts }), ["recipient", recipient], ["hops", "0"],
      ["domain", "far.example"]);
  }
  ask(user, request) {
    const answer = this.call(3, "extension", ["extensionIdentifier", request.match(/xmlns="([^"]+)"/)?.[1] ?? "urn:x"], ["principal", user],
      ["method", "session"], ["requestXML", request]);
    return answer.answerXML?.[0] ?? `refused: ${answer.reason[0]}`;
  }
  resolve(address) { return this.call(4, "resolver", ["address", address]); }
}

const digest = (index) => String.fromCharCode(97 + index).repeat(32);
function message({ from = "eve@far.example", to = ["bob@here.example"], cc = [], subject, size = 2000, traits = [] }) {
  return [["messageID", "urn:uuid:6f3c1f5e-6c38-4d6a-9f0e-111111111111"], ["from", from], ...to.map((a) => ["to", a]),
    ...cc.map((a) => ["cc", a]), ["date", "2026-11-23T21:59:00Z"], ["size", `${size}`], ...traits.map((t) => ["trait", t]),
    ...(subject === undefined ? [] : [["subject", subject], ["text", "hello"]])];
}

const checks = {
  "attachment-policy": () => {
    const plugin = new Plugin("attachment-policy", { "max-bytes": "1000", "refuse-types": "application/x-*", "refuse-names": "*.exe, *.scr",
      "drop-types": "video/*,", "drop-names": "*.LNK" });
    assert.deepEqual(plugin.describe(), { abi: ["1"], describedRole: ["sending"] });
    assert.deepEqual(plugin.submit().verdict, ["proceed"]);
    assert.deepEqual(plugin.submit(["a.txt", "text/plain", 1000]).verdict, ["proceed"]);
    assert.equal(plugin.submit(["a.txt", "text/plain", 1001]).reason[0], 'attachment "a.txt": the file is too large');
    assert.equal(plugin.submit(["a", "Application/X-sh; charset=utf-8", 1]).verdict[0], "refuse");
    assert.match(plugin.submit(["a.txt", "text/plain", 1], ["Setup.EXE", "text/plain", 1]).reason[0], /"Setup.EXE".*such names/);
    assert.deepEqual(plugin.submit(["a", "text/plain", 1], ["b", "video/mp4", 1], ["c.lnk", "x/y", 1]),
      { verdict: ["drop"], drop: [digest(1), digest(2)] });
    assert.equal(plugin.submit(["b", "video/mp4", 1], ["x.exe", "x/y", 1]).verdict[0], "refuse");
    const long = plugin.submit(["ü".repeat(400) + ".exe", "x/y", 1]).reason[0];
    assert.ok(long.length <= 500 && !long.includes("\uFFFD"), long);
    plugin.settings = { "max-bytes": "10", oversize: "drop" };
    assert.deepEqual(plugin.submit(["a", "x/y", 11]), { verdict: ["drop"], drop: [digest(0)] });
    plugin.settings = {};
    assert.deepEqual(plugin.submit(["a.exe", "application/x-sh", 1e15]).verdict, ["proceed"]);
  },

  vacation: () => {
    const space = 'xmlns="urn:wsemail:example:vacation"', plugin = new Plugin("vacation", { "interval-days": "7" });
    const bob = "bob@here.example", day = 86_400_000;
    assert.deepEqual(plugin.describe().describedRole, ["delivery", "extension"]);
    assert.deepEqual(plugin.deliver(bob).verdict, ["proceed"]);
    assert.equal(plugin.ask(bob, `<Get ${space}></Get>`), `<Vacation ${space} state="off"></Vacation>`);
    assert.equal(plugin.sent.length, 0);
    const set = `<v:Set xmlns:v="urn:wsemail:example:vacation"><v:Subject>Away &amp; gone</v:Subject>\n<v:Text>Back &lt;soon&gt;&#xD;</v:Text>`
      + "<v:Until>2026-12-31</v:Until></v:Set>";
    const answer = plugin.call(3, "extension", ["extensionIdentifier", "urn:wsemail:example:vacation"], ["principal", "Bob@here.example"],
      ["method", "session"], ["requestXML", set]).answerXML[0];
    assert.equal(answer, `<Vacation ${space} state="active"><Subject>Away &amp; gone</Subject><Text>Back &lt;soon&gt;</Text>`
      + "<Until>2027-01-01T00:00:00Z</Until></Vacation>");
    plugin.deliver(bob);
    assert.deepEqual(plugin.sent, [{ sender: ["principal"], to: ["eve@far.example"], subject: ["Away & gone"], text: ["Back <soon>"],
      inReplyTo: ["urn:uuid:6f3c1f5e-6c38-4d6a-9f0e-111111111111"] }]);
    const quiet = (facts, to = bob) => { const before = plugin.sent.length; plugin.deliver(to, facts); assert.equal(plugin.sent.length, before); };
    const speaks = (facts, to = bob) => { const before = plugin.sent.length; plugin.deliver(to, facts); assert.equal(plugin.sent.length, before + 1); };
    quiet({});
    quiet({ from: "EVE@far.example" });
    quiet({ from: "a@far.example", traits: ["automatic"] });
    quiet({ from: bob });
    quiet({ from: "no-reply@far.example" });
    quiet({ from: "list@far.example", to: ["all@far.example"] });
    quiet({ from: "eve@far.example" }, "carol@here.example");
    speaks({ from: "dan@far.example", to: ["x@far.example"], cc: ["Bob@here.example"] });
    plugin.time += 7 * day - 1;
    quiet({});
    plugin.time += 1;
    speaks({});
    plugin.ask(bob, `<Set ${space}><Text>Another text</Text></Set>`);
    speaks({});
    quiet({});
    plugin.ask(bob, `<Clear ${space}></Clear>`);
    quiet({ from: "new@far.example" });
    plugin.ask(bob, `<Set ${space}><Text>Another text</Text><From>2026-12-24T08:00:00Z</From><Until>2026-12-24</Until></Set>`);
    quiet({});
    plugin.time = Date.parse("2026-12-24T08:00:00Z");
    speaks({});
    plugin.time = Date.parse("2026-12-24T23:59:59Z");
    speaks({ from: "last@far.example" });
    plugin.time += 1000;
    quiet({ from: "late@far.example" });
    assert.match(plugin.ask(bob, `<Get ${space}></Get>`), /state="over".*<From>2026-12-24T08:00:00Z/);
    plugin.settings = { "answers-a-day": "3" };
    plugin.ask(bob, `<Set ${space}><Text>Capped</Text></Set>`);
    for (const name of ["p", "q", "r"]) speaks({ from: `${name}@far.example` });
    quiet({ from: "s@far.example" });
    plugin.time += day;
    speaks({ from: "s@far.example" });
    plugin.settings = {};
    plugin.time += 100 * day;
    for (let i = 0; i < 20; i++) speaks({ from: `f${i}@far.example` });
    assert.ok(plugin.values.size <= 24, `outdated entries stay: ${[...plugin.values.keys()]}`);
    for (const bad of [`<Set ${space}></Set>`, `<Set ${space}><Text>x</Text><From>2026-02-29</From></Set>`, `<Other ${space}></Other>`,
      `<Set ${space}><Text>x</Text><From>2026-12-02</From><Until>2026-12-01</Until></Set>`, `<Set ${space}><Text>${"x".repeat(9000)}</Text></Set>`,
      `<Set ${space}><Text>x</Text><Subject>a\nb</Subject></Set>`, `<Set ${space}><Text>x</Text>`, `<Set>${"<a>".repeat(5000)}`])
      assert.match(plugin.ask(bob, bad), /^refused: /, bad.slice(0, 80));
  },

  filter: () => {
    const space = 'xmlns="urn:wsemail:example:filter"', plugin = new Plugin("filter", { "max-rules": "5" }), bob = "bob@here.example";
    const set = (rules, user = bob) => plugin.ask(user, `<SetRules ${space}>${rules}</SetRules>`);
    assert.deepEqual(plugin.describe().describedRole, ["delivery", "extension"]);
    assert.deepEqual(plugin.deliver(bob, { subject: "x" }).verdict, ["proceed"]);
    const answer = set('<Rule name="lists &amp; co"><From contains="@LISTS.example"></From><File flags="seen flagged" folder="Lists/ü"></File></Rule>\n'
      + '<Rule name="big"><Size above="5000"></Size><Subject contains="Backup"></Subject><Discard></Discard></Rule>'
      + '<Rule name="orders"><To is="orders@here.example"></To><Redirect to="carol@here.example dan@far.example"></Redirect></Rule>');
    assert.equal(plugin.ask(bob, `<GetRules ${space}></GetRules>`), answer);
    assert.match(answer, /^<Rules .*<Rule name="lists &amp; co"><From contains="@lists.example"><\/From><File flags="seen flagged" folder="Lists\/ü">/);
    assert.deepEqual(plugin.deliver(bob, { from: "all@lists.example", subject: "x" }), { verdict: ["file"], folder: ["Lists/ü"], flag: ["seen", "flagged"] });
    assert.deepEqual(plugin.deliver(bob, { subject: "My BACKUP", size: 5001 }).verdict, ["consume"]);
    assert.deepEqual(plugin.deliver(bob, { subject: "My BACKUP", size: 5000 }).verdict, ["proceed"]);
    const order = { subject: "x", to: [bob], cc: ["Orders@here.example"] };
    assert.deepEqual(plugin.deliver(bob, order), { verdict: ["redirect"], target: ["carol@here.example", "dan@far.example"] });
    assert.deepEqual(plugin.deliver(bob, { ...order, traits: ["automatic"] }).verdict, ["proceed"]);
    assert.deepEqual(plugin.deliver("carol@here.example", order).verdict, ["proceed"]);
    plugin.settings = { "allow-redirect": "no" };
    assert.deepEqual(plugin.deliver(bob, order).verdict, ["proceed"]);
    assert.match(set('<Rule><To is="a@b.c"></To><Redirect to="c@d.e"></Redirect></Rule>'), /does not let/);
    plugin.settings = { "max-rules": "5" };
    const rule = (inner) => `<Rule><To is="a@b.example"></To>${inner}</Rule>`;
    for (const bad of [rule(""), rule("<Discard></Discard><Discard></Discard>"), "<Rule><Discard></Discard></Rule>", "<Rule name='x'></Rule>", rule('<File folder=""></File>'),
      rule('<File folder="a\u007Fb"></File>'), rule('<File folder="a\u2028b"></File>'), rule('<File folder="a&#x9;b"></File>'),
      rule('<File folder="a" flags="deleted"></File>'), rule('<Redirect to="bob@here.example"></Redirect>'), rule('<Redirect to="a..b@c.example"></Redirect>'),
      rule('<Redirect to="a@localhost"></Redirect>'), rule('<Redirect to="a@10.0.0.1"></Redirect>'), rule('<Redirect to="a b@c.example"></Redirect>'),
      rule("<Discard></Discard>").repeat(6), rule("<Else></Else>"), '<Rule><Size above="-1"></Size><Discard></Discard></Rule>'])
      assert.match(set(bad), /^refused: /, bad);
    assert.equal(plugin.ask(bob, `<GetRules ${space}></GetRules>`), answer, "a refused set changed the rules");
    assert.equal(set(""), `<Rules ${space}></Rules>`);
    assert.equal(plugin.values.size, 0);
  },

  "role-mapper": () => {
    const plugin = new Plugin("role-mapper", { "role.purchasing": "Ann@far.example, bob,,bob , not an address, purchasing", "role.empty": " , " });
    assert.deepEqual(plugin.describe().describedRole, ["resolver"]);
    assert.deepEqual(plugin.resolve("purchasing@here.example"), { verdict: ["resolved"], target: ["ann@far.example", "bob@here.example"] });
    for (const local of ["sales", "empty", "purchasing.x", "*"]) assert.deepEqual(plugin.resolve(`${local}@here.example`), { verdict: ["unknown"] });
  },

  noop: () => {
    const plugin = new Plugin("noop");
    assert.deepEqual(plugin.describe().describedRole, ["sending", "delivery"]);
    assert.deepEqual([plugin.submit().verdict, plugin.deliver("bob@here.example").verdict], [["proceed"], ["proceed"]]);
  },

  marker: () => {
    const plugin = new Plugin("marker", { version: "2" });
    plugin.submit();
    plugin.deliver("bob@here.example");
    const id = "urn:uuid:6f3c1f5e-6c38-4d6a-9f0e-111111111111";
    assert.deepEqual([...plugin.values].map(([key, value]) => [key, value.toString()]),
      [[`seen:sending:${id}:`, "2"], [`seen:delivery:${id}:bob@here.example`, "2"]]);
  },

  template: () => {
    const plugin = new Plugin("template");
    assert.deepEqual(plugin.deliver("bob@here.example", { subject: "URGENT: read" }), { verdict: ["file"], folder: ["Inbox"], flag: ["flagged"] });
    assert.equal(plugin.logged, "flagged urn:uuid:6f3c1f5e-6c38-4d6a-9f0e-111111111111");
    assert.deepEqual(plugin.deliver("bob@here.example", { subject: "news" }).verdict, ["proceed"]);
  },
};

const capabilities = { log: "log", now: "clock", kv_get: "key-value", kv_set: "key-value", kv_delete: "key-value", kv_list: "key-value",
  send: "send", lookup: "look-up" };
for (const [name, check] of Object.entries(checks)) {
  check();
  // What a module imports, its manifest must declare: otherwise no server loads it.
  const manifest = readFileSync(`${folder}/${name}.xml`, "utf8");
  for (const { module, name: function_ } of WebAssembly.Module.imports(new Plugin(name).module))
    assert.ok(module === "wsemail" && manifest.includes(`<Capability>${capabilities[function_]}</Capability>`), `${name} imports ${function_}`);
  // Damaged events must end a call at most, never answer nonsense.
  const plugin = new Plugin(name);
  for (let length = 0; length < 40; length++) plugin.instance({ values: new Map(), sent: [] }).handle(1, Buffer.alloc(length, 0xFF));
  console.log(`${name}: as expected`);
}
