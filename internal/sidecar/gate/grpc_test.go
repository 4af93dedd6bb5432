package gate_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/flagside/flagside/internal/sidecar/gate"
)

// nested returns a message with one field that has bytes.
func nested(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(parts, nil))
}

// checkRequest returns what Envoy asks about a visitor's request.
func checkRequest(path string, fields ...string) []byte {
	http := nested(4, []byte(path))
	for i := 0; i < len(fields); i += 2 {
		http = append(http, nested(3, nested(1, []byte(fields[i])), nested(2, []byte(fields[i+1])))...)
	}
	return nested(1, nested(4, nested(2, http)))
}

// verdict is what an answer over gRPC says.
type verdict struct {
	set     map[string]string // for the application
	removed []string
	cookies []string
}

// readAnswer reads an answer, which must let the request pass and must have nothing that the gate has no reason to say.
func readAnswer(t testing.TB, answer []byte) (v verdict) {
	t.Helper()
	v.set = make(map[string]string)
	passed := false
	each(t, answer, func(number protowire.Number, value []byte) {
		switch {
		case number == 1 && len(value) == 0:
			passed = true
		case number == 3:
			each(t, value, func(number protowire.Number, value []byte) { v.read(t, number, value) })
		default:
			t.Errorf("field %d of an answer: %q", number, value)
		}
	})
	if !passed {
		t.Errorf("answer %q is no OK", answer)
	}
	return v
}

func (v *verdict) read(t testing.TB, number protowire.Number, value []byte) {
	t.Helper()
	if number == 5 {
		v.removed = append(v.removed, string(value))
		return
	}
	var name, text string
	each(t, value, func(option protowire.Number, header []byte) {
		if option == 1 {
			each(t, header, func(part protowire.Number, value []byte) {
				if part == 1 {
					name = string(value)
				} else {
					text = string(value)
				}
			})
		}
	})
	switch {
	case number == 2:
		v.set[name] = text
	case number == 6 && name == "set-cookie":
		v.cookies = append(v.cookies, text)
	default:
		t.Errorf("field %d of a verdict: %s: %s", number, name, text)
	}
}

// each calls visit for the fields of a message that have bytes.
func each(t testing.TB, message []byte, visit func(protowire.Number, []byte)) {
	t.Helper()
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeField(message)
		if n < 0 {
			t.Fatalf("answer %q is no message", message)
		}
		if kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ := protowire.ConsumeBytes(message[tag:])
			visit(number, value)
		}
		message = message[n:]
	}
}

// h2 returns a client that speaks HTTP/2 without TLS.
func h2(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// rpcClient returns what asks the gate over gRPC.
func (s *system) rpcClient(options ...connect.ClientOption) *connect.Client[gate.Message, gate.Message] {
	options = append(options, connect.WithGRPC(), connect.WithCodec(gate.Codec{}))
	return connect.NewClient[gate.Message, gate.Message](h2(s.t), "http://"+s.rpc+gate.CheckProcedure, options...)
}

// call asks over gRPC.
func (s *system) call(message []byte) verdict {
	s.t.Helper()
	answer, err := s.rpcClient().CallUnary(context.Background(), connect.NewRequest(gate.NewMessage(message)))
	if err != nil {
		s.t.Fatalf("%.100q: %v", message, err)
	}
	return readAnswer(s.t, answer.Msg.Bytes())
}

// Over gRPC a visitor's request is answered as over HTTP.
func TestBothFacesAnswerTheSame(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{
		Flags:   map[string]string{"/shop": "new-checkout,code", "/": "where,Color.Of Day"},
		Headers: map[string]string{"X-Plan": "plan", "Host": "host"}, Cookies: map[string]string{"city": "city"}, Queries: map[string]string{"plan": "other", "c": "town"},
	})
	for _, test := range []struct {
		path   string
		fields []string
	}{
		{"/shop/cart?x=1", []string{"x-plan", "gold"}},
		{"/shop", []string{"x-plan", "silver", "x-flag-new-checkout", "on", "X-FLAG-code", "on", "x_flag_made-up", "1", "x-flags", "a=b", "x-flag-", "1", "x-flag-\x01", "1"}},
		{"/shopping", []string{"cookie", "a=b; city=K\u00f6ln"}},
		{"/%73hop/../shop", []string{"x-plan", "gold"}},
		{"/%2e%2e/shop", []string{"x-plan", "gold"}},
		{"/?plan=gold", []string{"x-forwarded-uri", "/shop", "x-plan", "gold"}},
		{"//shop", []string{"x-plan", strings.Repeat("g", 2000)}},
		{"/", []string{"flagside-pin-revision", "00000000-1", "flagd-selector", "flagSetId=other"}},
	} {
		var lines []string
		for i := 0; i < len(test.fields); i += 2 {
			if test.fields[i] != "x-flag-\x01" {
				lines = append(lines, test.fields[i]+": "+test.fields[i+1])
			}
		}
		want := s.ask(test.path, lines...)
		got := s.call(checkRequest(test.path, test.fields...))
		over := make(map[string]string)
		for name := range want {
			if strings.HasPrefix(name, "X-Flag") {
				over[strings.ToLower(name)] = want.Get(name)
			}
		}
		if diff := cmp.Diff(over, got.set); diff != "" {
			t.Errorf("%s (-HTTP +gRPC):\n%s", test.path, diff)
		}
		if diff := cmp.Diff(want.Get(removed), strings.Join(got.removed, ", ")); diff != "" {
			t.Errorf("%s: removed (-HTTP +gRPC):\n%s", test.path, diff)
		}
	}
	raw := nested(1, nested(4, nested(2, nested(4, []byte("/shop")), nested(13, nested(1, nested(1, []byte("x-plan")), nested(3, []byte("gold")))))))
	if got := s.call(raw).set["x-flag-new-checkout"]; got != "on" {
		t.Errorf("a header of bytes gives %q", got)
	}
}

// A visitor's cookie comes and goes over gRPC as over HTTP, and one of either is good for the other.
func TestVisitorsOverGRPC(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Flags: map[string]string{"/": "split"}, VisitorKeyFile: keyFile(t, oneKey)})
	first := s.call(checkRequest("/"))
	if len(first.cookies) != 1 || first.set["x-flag-split"] == "" {
		t.Fatalf("answered %+v", first)
	}
	for _, forged := range []string{"flagside-visitor=forged", strings.ToLower(cookieOf(first.cookies[0]))} {
		if got := s.call(checkRequest("/", "cookie", forged)); len(got.cookies) != 1 {
			t.Errorf("%s is taken", forged)
		}
	}
	again := s.call(checkRequest("/", "cookie", "a=b; "+cookieOf(first.cookies[0])))
	if len(again.cookies) > 0 || again.set["x-flag-split"] != first.set["x-flag-split"] {
		t.Errorf("first %+v, then %+v", first, again)
	}
	over := s.ask("/", "Cookie: "+cookieOf(first.cookies[0]))
	if over.Get("Set-Cookie") != "" || over.Get("X-Flag-Split") != first.set["x-flag-split"] {
		t.Errorf("over HTTP %v", over)
	}
}

// posted is what is answered at the port of gRPC.
type posted struct {
	message []byte
	status  string // of gRPC
	code    int    // of HTTP
	header  http.Header
}

// post sends bytes to the port of gRPC.
func (s *system) post(method, path, contentType string, header map[string]string, body []byte) (a posted) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, "http://"+s.rpc+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := h2(s.t).Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	message, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return posted{message, response.Trailer.Get("Grpc-Status") + response.Header.Get("Grpc-Status"), response.StatusCode, response.Header}
}

// frame returns a message as gRPC sends it.
func frame(flags byte, length int, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(length)), message...) // #nosec G115 -- of a test
}

// Whatever comes, the visitor's request passes, and no visitor has set a flag.
func TestNothingIsRefusedOverGRPC(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Flags: map[string]string{"/": "new-checkout"}, Headers: map[string]string{"X-Plan": "plan"}})
	good := checkRequest("/", "x-plan", "gold")
	large := checkRequest("/", "x-plan", strings.Repeat("x", 2<<20))
	without := []string{"x-flag-new-checkout", "x-flags"}
	for name, test := range map[string]struct {
		body   []byte
		header map[string]string
		flags  bool
	}{
		"well":                     {frame(0, len(good), good), nil, true},
		"with a timeout of none":   {frame(0, len(good), good), map[string]string{"Grpc-Timeout": "0n"}, true},
		"with a timeout of words":  {frame(0, len(good), good), map[string]string{"Grpc-Timeout": "soon"}, true},
		"other encodings wanted":   {frame(0, len(good), good), map[string]string{"Grpc-Accept-Encoding": "br,zstd"}, true},
		"an unknown encoding":      {frame(0, len(good), good), map[string]string{"Grpc-Encoding": "zstd"}, true},
		"compressed, says the bit": {frame(1, len(good), good), nil, false},
		"compressed badly":         {frame(1, len(good), good), map[string]string{"Grpc-Encoding": "gzip"}, false},
		"no message":               {nil, nil, false},
		"empty":                    {frame(0, 0, nil), nil, true}, // of which nothing is known
		"half a message":           {frame(0, len(good)+10, good), nil, false},
		"half a field":             {frame(0, len(good)-1, good[:len(good)-1]), nil, false},
		"no fields":                {frame(0, 3, []byte{0xff, 0xff, 0xff}), nil, false},
		"oversized":                {frame(0, len(large), large), nil, false},
		"four gigabytes, it says":  {frame(0, 0xffffffff, good), nil, false},
	} {
		a := s.post(http.MethodPost, gate.CheckProcedure, "application/grpc", test.header, test.body)
		if a.status != "0" || a.code != http.StatusOK || len(a.message) < 5 {
			t.Errorf("%s: %+v", name, a)
			continue
		}
		v := readAnswer(t, a.message[5:])
		if test.flags != (len(v.set) > 0) || !test.flags && !slices.Equal(v.removed, without) {
			t.Errorf("%s: %+v", name, v)
		}
	}
	for _, test := range [][3]string{
		{http.MethodGet, "/v1/gate/shop", ""}, {http.MethodPost, gate.CheckProcedure, "application/json"}, {"PURGE", gate.CheckProcedure, "application/grpc"}, {http.MethodOptions, "/", ""},
	} {
		a := s.post(test[0], test[1], test[2], nil, nil)
		if a.code != http.StatusOK || a.header.Get(removed) != strings.Join(without, ", ") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v: %d, %v", test, a.code, a.header)
		}
	}
	if a := s.post(http.MethodPost, "/envoy.service.auth.v3.Authorization/Other", "application/grpc", nil, frame(0, 0, nil)); a.status != "12" {
		t.Errorf("another procedure has status %q", a.status)
	}
	if a := s.post(http.MethodPost, "/grpc.health.v1.Health/Check", "application/grpc", nil, frame(0, 0, nil)); a.status != "0" || !bytes.HasSuffix(a.message, []byte{8, 1}) {
		t.Errorf("health: %+v", a)
	}
	none := start(t, load(t, ""), gate.Options{Flags: map[string]string{"/": "new-checkout"}})
	if v := none.call(good); len(v.set) > 0 || !slices.Equal(v.removed, without) {
		t.Errorf("without flags %+v", v)
	}
}

// A connection of HTTP/1.1 is answered too.
func TestHTTP1AtThePortOfGRPC(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Flags: map[string]string{"/": "new-checkout"}})
	c, err := net.Dial("tcp", s.rpc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/gate/ HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.0 200 OK\r\n")) {
		t.Errorf("answered %q, %v", answer, err)
	}
}

// Whatever bytes come as a message, the answer lets the visitor's request pass, and has no name and no value that a visitor chose.
func FuzzMessages(f *testing.F) {
	f.Add(checkRequest("/shop?x=1", "x-plan", "gold", "cookie", "flagside-visitor=x", "x-flag-evil", "1"))
	f.Add(checkRequest("/%0d%0aX-Evil:%201", "X_Flag_\r\nSet-Cookie", "1", "traceparent", "\x00"))
	f.Add(nested(1, nested(4, nested(2, nested(13, nested(1, nested(1, []byte("x-plan")), nested(3, []byte("\xff\xfe"))))))))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte(nil))
	s := newServer(f, gate.Options{
		Flags: map[string]string{"/": "new-checkout,split"}, Headers: map[string]string{"X-Plan": "plan"}, Cookies: map[string]string{"u": gate.TargetingKey},
		Queries: map[string]string{"q": "q"}, VisitorKeyFile: "keys",
	})
	f.Fuzz(func(t *testing.T, message []byte) {
		v := readAnswer(t, s.AnswerMessage(message))
		for _, name := range slices.Sorted(maps.Keys(v.set)) {
			if !slices.Contains([]string{"x-flag-new-checkout", "x-flag-split", "x-flags"}, name) || strings.ContainsAny(v.set[name], "\r\n\x00") {
				t.Errorf("%q sets %s: %q", message, name, v.set[name])
			}
		}
		if got := v.set["x-flag-split"]; got != "" && got != "a" && got != "b" {
			t.Errorf("%q: split is %q", message, got)
		}
		if joined := strings.Join(v.removed, ", "); joined != "" && !removedNames.MatchString(joined) {
			t.Errorf("%q removes %q", message, v.removed)
		}
		for _, cookie := range v.cookies {
			if !strings.HasPrefix(cookie, "flagside-visitor=") || strings.ContainsAny(cookie, "\r\n") {
				t.Errorf("%q gets the cookie %q", message, cookie)
			}
		}
	})
}
