package egress

import (
	"net/netip"
	"testing"
)

// Where events may go: an address, and what allowPrivate must be for it.
func TestPermit(t *testing.T) {
	t.Parallel()
	const (
		public  = iota // always
		private        // with allowPrivate: true
		named          // with its network only
	)
	for address, want := range map[string]int{
		"93.184.215.14":        public,
		"8.8.8.8":              public,
		"172.15.255.255":       public,
		"172.32.0.1":           public,
		"100.63.255.255":       public,
		"100.128.0.0":          public,
		"2606:2800:21f:cb07::": public,
		"2001:4860:4860::8888": public,

		"127.0.0.1":         private,
		"127.255.255.254":   private,
		"::1":               private,
		"10.0.0.1":          private,
		"172.16.0.1":        private,
		"172.31.255.255":    private,
		"192.168.1.1":       private,
		"100.64.0.1":        private,
		"100.127.255.255":   private,
		"198.18.0.1":        private,
		"2001:2::1":         private,
		"fc00::1":           private,
		"fdab::1":           private,
		"::ffff:127.0.0.1":  private,
		"::ffff:10.0.0.1":   private,
		"64:ff9b::10.0.0.1": private,
		"2002:0a00:0001::1": private, // 6to4 of 10.0.0.1
		"2002:7f00:0001::":  private, // 6to4 of 127.0.0.1
		"::127.0.0.1":       private, // IPv4-compatible
		"::ffff:0:10.0.0.1": private, // IPv4-translated
		"2001::f5ff:fffe":   private, // Teredo of 10.0.0.1
		"2002:0808:0808::1": public,  // 6to4 of 8.8.8.8
		"64:ff9b::8.8.8.8":  public,
		"::ffff:8.8.8.8":    public,

		"169.254.169.254":          named,
		"::ffff:169.254.169.254":   named,
		"64:ff9b::169.254.169.254": named,
		"2002:a9fe:a9fe::":         named,
		"169.254.1.1":              named,
		"fe80::1":                  named,
		"fe80::1%eth0":             named,
		"fec0::1":                  named,
		"fd00:ec2::254":            named,
		"fd20:ce::254":             named,
		"100.100.100.200":          named,
		"168.63.129.16":            named,
		"192.0.0.192":              named,
		"0.0.0.0":                  named,
		"0.1.2.3":                  named,
		"::":                       named,
		"224.0.0.1":                named,
		"239.255.255.255":          named,
		"ff02::1":                  named,
		"240.0.0.1":                named,
		"255.255.255.255":          named,
		"192.0.2.1":                named,
		"198.51.100.1":             named,
		"203.0.113.1":              named,
		"2001:db8::1":              named,
		"3fff::1":                  named,
		"100::1":                   named,
		"fd00:42::42":              named,
		"fd00:c1::a9fe:a9fe":       named,
		"64:ff9b:1::a00:1":         named, // of a site, and so of any length
		"64:ff9b:1:a00:0:100::":    named,
		"64:ff9b:2::1":             named,
		"192.88.99.1":              named,
		"2001:10::1":               named,
		"1::1":                     named,
		"200::1":                   named,
		"4000::1":                  named,
		"5f00::1":                  named,
		"8000::1":                  named,
	} {
		a := netip.MustParseAddr(address)
		if err := Permit(a, nil); (err == nil) != (want == public) {
			t.Errorf("%s: %v", address, err)
		}
		if err := Permit(a, PrivateRanges()); (err == nil) != (want != named) {
			t.Errorf("%s with allowPrivate: true: %v", address, err)
		}
		own := []netip.Prefix{netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen())}
		if inside := embedded(a.Unmap().WithZone("")); inside.IsValid() {
			own = append(own, netip.PrefixFrom(inside, 32))
		}
		if err := Permit(a, own); err != nil {
			t.Errorf("%s with its own network: %v", address, err)
		}
		other := []netip.Prefix{netip.MustParsePrefix("10.99.0.0/16"), netip.MustParsePrefix("fd99::/16")}
		if err := Permit(a, other); (err == nil) != (want == public) {
			t.Errorf("%s with another network: %v", address, err)
		}
	}
}

// A network in allowPrivate that is larger than that of the metadata of clouds, or of a link, does not name it.
func TestLargeNetworksNameNoMetadata(t *testing.T) {
	t.Parallel()
	for address, networks := range map[string][2]string{
		"169.254.169.254":        {"169.254.0.0/16", "169.254.169.254/32"},
		"169.254.1.1":            {"169.0.0.0/8", "169.254.1.0/24"},
		"100.100.100.200":        {"100.64.0.0/10", "100.100.100.200/32"},
		"fd00:ec2::254":          {"fd00::/8", "fd00:ec2::/32"},
		"::ffff:169.254.169.254": {"0.0.0.0/0", "169.254.169.254/32"},
		"0.0.0.0":                {"0.0.0.0/0", "0.0.0.0/8"},
		"200::1":                 {"::/0", "200::/7"},
	} {
		a := netip.MustParseAddr(address)
		if err := Permit(a, []netip.Prefix{netip.MustParsePrefix(networks[0])}); err == nil {
			t.Errorf("%s is permitted by %s", address, networks[0])
		}
		if err := Permit(a, []netip.Prefix{netip.MustParsePrefix(networks[1])}); err != nil {
			t.Errorf("%s: %v", networks[1], err)
		}
	}
	for _, address := range []string{"10.1.2.3", "fd99::1"} {
		if err := Permit(netip.MustParseAddr(address), []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}); err != nil {
			t.Error(err)
		}
	}
}

func FuzzPermit(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{0x20, 2, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		err := Permit(a, nil)
		u := a.Unmap()
		if u.Is6() && err == nil && !netip.MustParsePrefix("2000::/3").Contains(u) && !embedded(u).IsValid() {
			t.Errorf("%s is permitted, and not public", a)
		}
		if (u.IsLoopback() || u.IsPrivate() || u.IsLinkLocalUnicast() || u.IsMulticast() || u.IsUnspecified()) && err == nil {
			t.Errorf("%s is permitted", a)
		}
		if (Permit(netip.AddrFrom16(a.As16()), nil) == nil) != (err == nil) {
			t.Errorf("%s is judged in another way when it is mapped", a)
		}
	})
}
