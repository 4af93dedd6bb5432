// Package ofrep answers the OpenFeature Remote Evaluation Protocol (OFREP 0.3.0) over HTTP/1.1.
//
// Whatever happens to a request, its answer is a JSON object; errors always carry errorDetails and metadata, because some clients
// cannot do without. Nothing of a request is kept after it was answered, and nothing of it is logged.
package ofrep
