// A phone of JsSIP's in this page. Tests call what is in `phone`; each returns, or promises, something that JSON has.
// `told` is all that happened, in words, in its order.
const told = [];
let agent = null;
let session = null;
let heard = null;

// The microphone as it is: what comes back is the same voice, which echo cancellers take out.
const CALLING = {
  mediaConstraints: {audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false}, video: false},
  pcConfig: {iceServers: []},
};

function until(what, why) {
  return new Promise((resolve, reject) => {
    const begun = Date.now();
    const look = () => {
      const found = what();
      if (found) resolve(found);
      else if (Date.now() - begun > 20000) reject(new Error(`waited for ${why}; told: ${told.join(", ")}`));
      else setTimeout(look, 10);
    };
    look();
  });
}

function once(emitter, good, bad) {
  return new Promise((resolve, reject) => {
    emitter.once(good, resolve);
    emitter.once(bad, (event) => reject(new Error(`${bad}: ${event.cause || ""}`)));
  });
}

function follow(made) {
  session = made;
  for (const name of ["progress", "accepted", "confirmed", "hold", "unhold", "ended", "failed", "refer", "newInfo"]) {
    made.on(name, (event) => told.push(`${name} ${event.originator || ""} ${event.cause || ""}`.trim()));
  }
  made.on("refer", (event) => event.accept(null, CALLING));
  made.on("sdp", (event) => told.push(`${event.originator} ${event.type}`));
  made.connection.addEventListener("track", (event) => listen(event.streams[0]));
}

// What the page hears, as samples at 8 kHz. Chromium gives WebAudio nothing of a stream that no element plays.
async function listen(stream) {
  const element = new Audio();
  element.srcObject = stream;
  element.play();
  const context = new AudioContext({sampleRate: 8000});
  const code = `registerProcessor("taker", class extends AudioWorkletProcessor {
    process([input]) { if (input[0]) this.port.postMessage(input[0].slice()); return true; }
  });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], {type: "text/javascript"})));
  const taker = new AudioWorkletNode(context, "taker");
  heard = [];
  taker.port.onmessage = (event) => heard.push(event.data);
  context.createMediaStreamSource(stream).connect(taker);
}

globalThis.phone = {
  told: () => told,

  // Connect, and register nowhere.
  async start(url, extra) {
    const socket = new JsSIP.WebSocketInterface(url);
    agent = new JsSIP.UA({sockets: [socket], uri: "sip:+15550109999@page.example", register: false, ...extra});
    agent.on("newRTCSession", (event) => follow(event.session));
    const connected = once(agent, "connected", "disconnected");
    agent.start();
    await connected;
    return JsSIP.version;
  },

  async options(target) {
    return new Promise((resolve, reject) => agent.sendOptions(target, "", {eventHandlers: {
      succeeded: (event) => resolve(event.response.status_code),
      failed: (event) => reject(new Error(event.cause)),
    }}));
  },

  async call(target) {
    const made = agent.call(target, CALLING);
    await once(made, "confirmed", "failed");
    return made.connection.remoteDescription.sdp;
  },

  async hold() {
    await new Promise((resolve) => session.hold({}, resolve));
    return session.isOnHold().local;
  },

  async resume() {
    await new Promise((resolve) => session.unhold({}, resolve));
    return session.isOnHold().local;
  },

  keys(tones, transportType) {
    session.sendDTMF(tones, {transportType, interToneGap: 100, duration: 100});
  },

  // A MESSAGE within the call: the status that it gets.
  async message(body) {
    const answered = (resolve) => (response) => resolve(response.status_code);
    return new Promise((resolve, reject) => session.sendRequest("MESSAGE", {
      extraHeaders: ["Content-Type: text/plain"], body,
      eventHandlers: {onSuccessResponse: answered(resolve), onErrorResponse: answered(resolve), onRequestTimeout: reject},
    }));
  },

  hangUp() {
    session.terminate();
    return until(() => session.isEnded(), "the end").then(() => true);
  },

  ended: () => until(() => session.isEnded(), "the end").then(() => told),

  // Signed 16-bit samples, in base64.
  heard() {
    const all = Int16Array.from((heard || []).flatMap((part) => Array.from(part, (value) => value * 32767)));
    let text = "";
    for (const byte of new Uint8Array(all.buffer)) text += String.fromCharCode(byte);
    return btoa(text);
  },
};
