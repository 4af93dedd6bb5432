package client

import (
	"context"
	"net/http"
	"slices"

	"github.com/flagside/flagside/internal/publisher/api"
)

// aboutManifest begins a request about the manifest of an environment; the empty name means the only environment that the caller may read.
func aboutManifest(method, environment string, below ...string) request {
	path := slices.Concat([]string{"openfeature", "v0", "manifest"}, below)
	if environment != "" {
		return newRequest(method, slices.Concat([]string{"environments", environment}, path)...)
	}
	r := newRequest(method, path...)
	r.atRoot = true
	return r
}

// Manifest returns the flags of an environment as OpenFeature's command line pulls them. The empty name means the only environment that the caller
// may read, here and below.
func (c *Client) Manifest(ctx context.Context, environment string) (api.Manifest, error) {
	return answer[api.Manifest](ctx, c, aboutManifest(http.MethodGet, environment))
}

// CreateManifestFlag creates a flag as OpenFeature's command line pushes it.
func (c *Client) CreateManifestFlag(
	ctx context.Context, environment string, f api.NewManifestFlag, h api.ManifestHeaders,
) (api.WrittenManifestFlag, error) {
	return answer[api.WrittenManifestFlag](ctx, c, aboutManifest(http.MethodPost, environment, "flags").with(h).json(f))
}

// UpdateManifestFlag changes description and default value of a flag as OpenFeature's command line pushes them.
func (c *Client) UpdateManifestFlag(
	ctx context.Context, environment, key string, f api.ChangedManifestFlag, h api.ManifestHeaders,
) (api.WrittenManifestFlag, error) {
	return answer[api.WrittenManifestFlag](ctx, c, aboutManifest(http.MethodPut, environment, "flags", key).with(h).json(f))
}

// ArchiveManifestFlag removes a flag that no other depends on, whatever it is now.
func (c *Client) ArchiveManifestFlag(ctx context.Context, environment, key string, h api.ManifestHeaders) (api.ArchivedManifestFlag, error) {
	return answer[api.ArchivedManifestFlag](ctx, c, aboutManifest(http.MethodDelete, environment, "flags", key).with(h))
}
