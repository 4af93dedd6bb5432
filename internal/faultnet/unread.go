package faultnet

import (
	"bytes"
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// AskUnread begins requests to a procedure of gRPC, each with an empty message, on a connection of HTTP/2 whose windows stay closed, so that
// their answers cannot be sent. The connection takes what the server says about it. Close ends it.
func AskUnread(addr, procedure string, requests int) (net.Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, c)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) // to memory
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for i := range requests {
		block.Reset()
		for _, f := range [][2]string{
			{":method", "POST"},
			{":scheme", "http"},
			{":authority", "localhost"},
			{":path", procedure},
			{"content-type", "application/grpc"},
			{"te", "trailers"},
			{"user-agent", "greedy"},
		} {
			_ = fields.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // to memory
		}
		stream := uint32(2*i + 1)
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
		_ = framer.WriteData(stream, true, make([]byte, 5)) // an empty message
	}
	go func() { // it fails when the server has no place for the connection
		_, _ = c.Write(out.Bytes())
		_, _ = io.Copy(io.Discard, c)
	}()
	return c, nil
}
