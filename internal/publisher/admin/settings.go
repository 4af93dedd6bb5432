package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
)

type putSettings struct {
	EnvironmentPath
	api.WriteHeaders

	RawBody []byte `contentType:"application/json"`
}

func settingsID() document.ID {
	return document.ID{Kind: document.KindSettings, Key: document.SettingsKey}
}

func (s *server) registerSettings(h huma.API) {
	const path = "/api/v1/environments/{environment}/settings"
	huma.Register(h, describesDocument(reading(operation(http.MethodGet, path, "getSettings",
		"Read the settings; an environment may have none", settingsTag))),
		func(ctx context.Context, in *EnvironmentPath) (*documentBody, error) {
			return s.get(ctx, in.Environment, settingsID())
		})
	registerPut(h, operation(http.MethodPut, path, "putSettings", "Create or replace the settings", settingsTag),
		map[string]any{"metadata": map[string]any{"team": "shop"}},
		func(ctx context.Context, in *putSettings) (*writtenBody, error) {
			return s.put(ctx, in.Environment, settingsID(), in.WriteHeaders, in.RawBody)
		})
}
