"""A document of each kind that writes every field: what `reference` shows, and what tests take for complete."""

from __future__ import annotations

EVERY_FIELD = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: twilio-us, namespace: voice, labels: {region: us, example.com/team: a_b.c}, annotations: {note: "x y"}}
spec:
  provider: twilio
  inbound:
    allowedAddresses: [54.172.60.0/30, 203.0.113.7, "2001:db8::/32"]
    allowedNumbers: ["+14155550100", "+1415*"]
    calledNumbers: declared
    auth:
      username: acme
      realm: example.com
      passwordFrom: {secretKeyRef: {name: twilio-sip, key: password}}
      algorithms: [SHA-256, MD5]
    headers: {X-Answered-By: dialplane}
    headersToAttributes: {X-Tenant: tenant}
    attributesToHeaders: {tenant: X-Tenant}
    includeHeaders: x
    ringingTimeout: 30s
    maxCallDuration: 2h
    noiseCancellation: true
    trustIdentity: true
    identity: {verify: require, certificateHosts: [cr.example.com, "*.example.net", "cr.example.org:8443"]}
  outbound:
    addresses: [acme.pstn.twilio.com, "203.0.113.7:5060", "[2001:db8::1]:5061"]
    transport: tls
    webSocketPath: /sip
    proxy: sip:proxy.example.com:5061;transport=wss
    fromHost: acme.pstn.twilio.com
    auth: {username: acme, realm: twilio.com, passwordFrom: {env: TWILIO_PASSWORD}, algorithms: [SHA-512-256]}
    headers: {X-A: b}
    headersToAttributes: {X-B: b}
    attributesToHeaders: {c: X-C}
    includeHeaders: all
    register: {expires: 5m}
    probe: {every: 30s}
    tls: {certificateFrom: {file: client.pem}, keyFrom: {file: client.key}}
    destinationCountry: US
    allowedDestinations: ["+1*"]
    limits: {maxConcurrentCalls: 20, callsPerSecond: 2, maxCallDuration: 1h}
    identityHeader: P-Asserted-Identity
    callerForm: +E.164
    recording: {format: opus, maxDuration: 2h}
  media:
    codecs: [opus, g722, pcmu, pcma]
    encryption: require
    keying: [dtls, sdes]
    roomCodec: auto
    dtmf: [rfc4733, info]
    timeout: 15s
  mediaAddresses: [168.86.128.0/18, "2001:db8::/32"]
  regions: [us-east]
  limits: {maxConcurrentCalls: 50, callsPerSecond: 5}
  referTo: tel
  referNotify: false
  acceptRefer: true
  holdMusic: hold.wav
  allowedNamespaces: [a, b]
  metadata: free text
  deletionPolicy: Retain
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: support}
spec:
  trunkRefs: [{name: twilio-us}, {name: other, namespace: voice}]
  match: {to: ["+14155550100"], from: ["+44*"]}
  priority: 100
  pinFrom: {env: SUPPORT_PIN}
  pinPrompts: {ask: ask-support.wav, wrong: wrong.wav, goodbye: bye_1.wav}
  rule:
    individual: {roomPrefix: call, randomize: false}
  room:
    agents: [{agentName: support, metadata: '{"lang":"en"}'}]
    emptyTimeout: 60s
    departureTimeout: 20s
    maxParticipants: 4
    metadata: m
    preset: p
  attributes: {team: support}
  metadata: m
  hidePhoneNumber: true
  noiseCancellation: true
  media: {codecs: [g722, pcma], encryption: allow, keying: [sdes], roomCodec: opus, dtmf: [inband], timeout: 1m}
  answer: onRequest
  ringback: gb
  holdMusic: builtIn
  recording: {format: wav, maxDuration: 1h}
  messages: room
  fallback: {sipCode: 486}
  deletionPolicy: Delete
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {name: us-support}
spec:
  number: "+14155550100"
  trunkRef: {name: twilio-us, namespace: voice}
  dispatchRuleRef: {name: support}
  direction: both
  deletionPolicy: Retain
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {name: bought}
spec:
  purchase: {from: livekit, countryCode: US, areaCode: "415", type: tollFree}
---
apiVersion: dialplane.dev/v1alpha1
kind: RoutingTest
metadata: {name: calls}
spec:
  calls:
  - {to: "+14155550100", from: anonymous, address: 54.172.60.1, pin: "12*4", region: us-east, user: acme,
     asserted: "+14155550199", registered: twilio-us,
     expect: {rule: support, trunk: twilio-us, room: "call_*"}}
  - {to: "+14155550101", from: "+441", address: "2001:db8::1", expect: {reason: no-rule}}
  - {to: "+14155550102", from: "+441", address: "2001:db8::1", expect: {asks: pin}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: lines}
spec:
  trunkSelector: {matchLabels: {region: us}}
  rule:
    callee: {roomPrefix: line, randomize: true}
"""
"""Documents that together write every field of every kind; what they say together need not make sense."""
