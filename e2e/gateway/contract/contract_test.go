package contract

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/gate"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/waiting"
)

const flags = `{"flags":{
  "new-checkout": {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}},
  "code":         {"state":"ENABLED","variants":{"on":true},"defaultVariant":null},
  "split":        {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","targeting":{"fractional":[["a",50],["b",50]]}}
}}`

// client returns a client of a gate that runs until the test ends.
func client(t *testing.T) auth.AuthorizationClient {
	t.Helper()
	dir := t.TempDir()
	file, keys := filepath.Join(dir, "flags.json"), filepath.Join(dir, "keys")
	for path, text := range map[string]string{file: flags, keys: strings.Repeat("k", 32)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := store.LoadBootstrap(file); err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	r, err := resolver.New(resolver.Options{Views: store, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	server, err := gate.New(gate.Options{
		Resolver: r, Views: store, Metrics: metrics, Flags: map[string]string{"/": "split", "/shop": "new-checkout,code"},
		Headers: map[string]string{"X-Plan": "plan"}, VisitorKeyFile: keys, Deadline: waiting.Patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, gate.Listeners{GRPC: l}, waiting.Patience) }()
	connection, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		connection.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return auth.NewAuthorizationClient(connection)
}

// request is what Envoy sends, with much that the gate does not read.
func request(path string, headers map[string]string) *auth.CheckRequest {
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source:            &auth.AttributeContext_Peer{Principal: "spiffe://shop", Labels: map[string]string{"a": "b"}},
		ContextExtensions: map[string]string{"x-plan": "gold", "x-flag-new-checkout": "on"},
		MetadataContext:   &core.Metadata{FilterMetadata: map[string]*structpb.Struct{"a": {}}},
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
			Id: "1", Method: "POST", Headers: headers, Path: path, Host: "shop.example", Scheme: "https", Protocol: "HTTP/2", Size: 3, Body: "abc", RawBody: []byte("abc"),
		}},
	}}
}

// check asks the gate. Its answer must let the request pass.
func check(t *testing.T, c auth.AuthorizationClient, r *auth.CheckRequest, options ...grpc.CallOption) *auth.OkHttpResponse {
	t.Helper()
	answer, err := c.Check(t.Context(), r, options...)
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetStatus() == nil || codes.Code(answer.GetStatus().GetCode()) != codes.OK || answer.GetOkResponse() == nil || len(answer.ProtoReflect().GetUnknown()) > 0 { //nolint:gosec // a code
		t.Fatalf("answered %v", answer)
	}
	return answer.GetOkResponse()
}

// headers returns what an answer sets, and fails unless that takes the place of what a visitor sent.
func headers(t *testing.T, ok *auth.OkHttpResponse) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, option := range ok.GetHeaders() {
		if option.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || option.GetAppend().GetValue() {
			t.Errorf("%v does not overwrite", option)
		}
		if _, twice := found[option.GetHeader().GetKey()]; twice {
			t.Errorf("%v comes twice", option)
		}
		found[option.GetHeader().GetKey()] = option.GetHeader().GetValue()
	}
	return found
}

func TestEnvoyIsAnswered(t *testing.T) {
	t.Parallel()
	c := client(t)
	spoofed := map[string]string{":method": "POST", ":path": "/other", "x-plan": "gold", "x-flag-code": "on", "x_flag_evil": "1", "x-flags": "a=b"}
	ok := check(t, c, request("/shop/cart?x=1", spoofed))
	if got := headers(t, ok); len(got) != 2 || got["x-flag-new-checkout"] != "on" || got["x-flags"] != "new-checkout=on" {
		t.Errorf("set %v", got)
	}
	if got := ok.GetHeadersToRemove(); !slices.Contains(got, "x-flag-code") || !slices.Contains(got, "x_flag_evil") || slices.Contains(got, "x-flags") {
		t.Errorf("removed %v", got)
	}
	if ok := check(t, c, request("/shop", map[string]string{"x-plan": "gold"}), grpc.UseCompressor(gzip.Name)); headers(t, ok)["x-flag-new-checkout"] != "on" {
		t.Errorf("compressed: %v", ok)
	}
	raw := request("/shop", nil)
	raw.Attributes.Request.Http.HeaderMap = &core.HeaderMap{Headers: []*core.HeaderValue{{Key: "x-plan", RawValue: []byte("gold")}, {Key: "x-flag-evil", RawValue: []byte("\xff")}}}
	if ok := check(t, c, raw); headers(t, ok)["x-flag-new-checkout"] != "on" || !slices.Contains(ok.GetHeadersToRemove(), "x-flag-evil") {
		t.Errorf("raw: %v", ok)
	}
	for _, odd := range []*auth.CheckRequest{{}, {Attributes: &auth.AttributeContext{}}, request("", nil), request("*", nil), request("/"+strings.Repeat("%", 10_000), nil)} {
		check(t, c, odd)
	}
	large := request("/shop", map[string]string{"x-plan": "gold"})
	large.Attributes.Request.Http.RawBody = make([]byte, 3<<20)
	if ok := check(t, c, large); len(headers(t, ok)) != 0 || !slices.Contains(ok.GetHeadersToRemove(), "x-flag-new-checkout") {
		t.Errorf("oversized: %v", ok)
	}
}

// A new visitor gets a cookie beside those of the application, and keeps its variant with it.
func TestVisitorsGetACookie(t *testing.T) {
	t.Parallel()
	c := client(t)
	first := check(t, c, request("/", nil))
	if len(first.GetResponseHeadersToAdd()) != 1 {
		t.Fatalf("answered %v", first)
	}
	option := first.GetResponseHeadersToAdd()[0]
	cookie, _, _ := strings.Cut(option.GetHeader().GetValue(), ";")
	if option.GetHeader().GetKey() != "set-cookie" || !option.GetAppend().GetValue() {
		t.Errorf("answered %v", option)
	}
	again := check(t, c, request("/", map[string]string{"cookie": "a=b; " + cookie}))
	if len(again.GetResponseHeadersToAdd()) > 0 || headers(t, again)["x-flag-split"] != headers(t, first)["x-flag-split"] {
		t.Errorf("first %v, then %v", first, again)
	}
}

// api/ext_authz.proto is a part of Envoy's: every field has its number, its kind and its cardinality.
func TestTheSubsetIsEnvoys(t *testing.T) {
	t.Parallel()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"../../../api"}}}
	files, err := compiler.Compile(t.Context(), "ext_authz.proto")
	if err != nil {
		t.Fatal(err)
	}
	for name, theirs := range map[protoreflect.Name]proto.Message{"CheckRequest": &auth.CheckRequest{}, "CheckResponse": &auth.CheckResponse{}} {
		compare(t, files[0].Messages().ByName(name), theirs.ProtoReflect().Descriptor())
	}
	service := files[0].Services().Get(0)
	if want := auth.File_envoy_service_auth_v3_external_auth_proto.Services().Get(0); service.FullName() != want.FullName() || service.Methods().Get(0).Name() != want.Methods().Get(0).Name() {
		t.Errorf("the service is %s", service.FullName())
	}
	if gate.Service != service.FullName() {
		t.Errorf("the gate serves %s", gate.Service)
	}
}

// compare compares the fields of a message with those of Envoy's, and theirs.
func compare(t *testing.T, ours, theirs protoreflect.MessageDescriptor) {
	t.Helper()
	for i := range ours.Fields().Len() {
		field := ours.Fields().Get(i)
		want := theirs.Fields().ByNumber(field.Number())
		if want == nil || want.Name() != field.Name() || want.Kind() != field.Kind() || want.Cardinality() != field.Cardinality() || want.IsMap() != field.IsMap() {
			t.Errorf("%s: Envoy has %v", field.FullName(), want)
			continue
		}
		if field.Kind() == protoreflect.MessageKind {
			compare(t, field.Message(), want.Message())
		}
	}
}
