// Package sinks brings what sidecars report about the usage of flags to where other programs read it: Parquet files, and log records of OpenTelemetry. Each
// sink has a place of its own in the stream of each environment, which publishers share.
//
// Reports are taken in parcels. Where one ends depends on the stream alone: on the times at which the reports were stored, and on their size. So a parcel
// that is written again, by this publisher after it was killed, or by another one, is the same parcel, and its files have the same names: what is written
// twice is there once (docs/adr/0024-exported-usage-is-named-by-its-place.md).
//
// # Concurrency properties
//
// A Service is safe for concurrent use. Run may be called once.
package sinks
