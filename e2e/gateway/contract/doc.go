// Package contract has no code. Its tests ask the gate over gRPC with the messages that Envoy is made of, and hold api/ext_authz.proto against them. It is
// a module of its own, so that these messages are no requirement of the programs.
package contract
