package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// writeBills writes the bill of materials of each program for a platform.
func (b *build) writeBills(p platform, linked []module) error {
	for _, program := range programs() {
		bill, err := b.bill(filepath.Join(b.bin(p), program), program, linked)
		if err != nil {
			return fmt.Errorf("bill of materials of %s: %w", program, err)
		}
		if err := b.write(fmt.Sprintf("%s_%s_%s.cdx.json", program, b.stamp.version, p), bill); err != nil {
			return err
		}
	}
	return nil
}

// bill returns the bill of materials of a program: what the compiler wrote into it, with the licences of its modules.
func (b *build) bill(path, program string, linked []module) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	bom := cyclonedx.NewBOM()
	bom.SerialNumber = "urn:uuid:" + uuid(digest)
	itself := cyclonedx.Component{
		Type: cyclonedx.ComponentTypeApplication, Name: program, Version: b.stamp.version, BOMRef: program,
		PackageURL: "pkg:golang/" + info.Main.Path + "@v" + b.stamp.version + "#cmd/" + program,
		Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(digest[:])}},
		Licenses:   licences("Apache-2.0"),
	}
	bom.Metadata = &cyclonedx.Metadata{Timestamp: b.stamp.time.Format(time.RFC3339), Component: &itself}

	spdx := make(map[string]string)
	for _, m := range linked {
		spdx[m.path] = m.spdx
	}
	components := []cyclonedx.Component{component(debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}, spdx["std"])}
	for _, dependency := range info.Deps {
		if dependency.Replace != nil {
			return nil, fmt.Errorf("%s is replaced: a release is of modules as they are published", dependency.Path)
		}
		if spdx[dependency.Path] == "" {
			return nil, fmt.Errorf("%s is linked, but go list does not name it", dependency.Path)
		}
		components = append(components, component(*dependency, spdx[dependency.Path]))
	}
	var refs []string
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	bom.Components, bom.Dependencies = &components, &[]cyclonedx.Dependency{{Ref: program, Dependencies: &refs}}
	var out bytes.Buffer
	err = cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
	return out.Bytes(), err
}

// component returns a module as a part of a program.
func component(m debug.Module, spdx string) cyclonedx.Component {
	at := "pkg:golang/" + m.Path + "@" + m.Version
	c := cyclonedx.Component{
		Type: cyclonedx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, BOMRef: at, PackageURL: at, Licenses: licences(spdx),
	}
	// The sum of a module is a digest of the digests of its files.
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(sum) == sha256.Size {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	return c
}

func licences(spdx string) *cyclonedx.Licenses {
	return &cyclonedx.Licenses{{License: &cyclonedx.License{ID: spdx}}}
}

// uuid returns the first bytes of a digest as a UUID of version 8, which is for such.
func uuid(digest [sha256.Size]byte) string {
	digest[6], digest[8] = digest[6]&0x0f|0x80, digest[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", digest[0:4], digest[4:6], digest[6:8], digest[8:10], digest[10:16])
}
