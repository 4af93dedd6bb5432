// Package api has the wire types of a publisher's HTTP API, /api/v1: requests, answers, problems, headers and query parameters. The server
// (package admin) and the client (package client) share them. Tags describe members for openapi.json; nothing here does anything.
//
// Revisions are texts of the form <epoch8>-<revision>. Ids of actors are opaque; Names has the names that go with them.
package api

// DefaultAddress is the host and port of the API unless a publisher is told otherwise.
const DefaultAddress = "127.0.0.1:8017"

// The media types of bodies that are not plain JSON.
const (
	// MergePatchMedia is the media type of a JSON Merge Patch.
	MergePatchMedia = "application/merge-patch+json"
	// SnapshotMedia is the media type of a snapshot.
	SnapshotMedia = "application/octet-stream"
	// ExportMedia is the media type of an export.
	ExportMedia = "application/jsonl"
	// EventStreamMedia is the media type of an event stream.
	EventStreamMedia = "text/event-stream"
	// ProblemMedia is the media type of a Problem.
	ProblemMedia = "application/problem+json"
)
