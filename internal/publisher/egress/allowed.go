package egress

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ParseAllowed reads which addresses that are not public may be reached, as files write it: true, or a list of networks; nothing if it is not written. With
// an error comes where in the value it is, as a JSON pointer.
func ParseAllowed(written jsontext.Value) (networks []netip.Prefix, at string, err error) {
	var all bool
	var some []string
	switch {
	case written == nil:
		return nil, "", nil
	case json.Unmarshal(written, &all) == nil:
		if all {
			return PrivateRanges(), "", nil
		}
		return nil, "", nil
	case json.Unmarshal(written, &some) != nil:
		return nil, "", errors.New("want true, or a list of networks such as [\"10.1.0.0/16\"]")
	}
	for i, text := range some {
		network, err := netip.ParsePrefix(text)
		if err != nil || network.Masked() != network {
			return nil, fmt.Sprint("/", i), errors.New("it is not a network: want one such as 10.1.0.0/16 or fd00::/8")
		}
		networks = append(networks, network)
	}
	return networks, "", nil
}
