// Package contracts_test lets tools that others wrote judge what the programs promise: Schemathesis reads OpenAPI documents and asks thousands of
// requests that it makes up, promtool reads /metrics, and the SDK of CloudEvents receives webhooks.
package contracts_test
