// Prints what containerd's platforms package chooses: for each wanted platform the candidates that match,
// best first (Only), and those that match strictly (OnlyStrict). Run: GOFLAGS=-mod=mod go run . < wanted.json > chosen.json
package main

import (
	"encoding/json"
	"os"
	"sort"
	"strings"

	"github.com/containerd/platforms"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
)

// os[(version)][+feature,...]/arch[/variant], nothing normalised.
func raw(text string) specs.Platform {
	parts := strings.SplitN(text, "/", 3)
	p := specs.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	if head, features, found := strings.Cut(p.OS, "+"); found {
		p.OS = head
		p.OSFeatures = strings.Split(features, ",")
	}
	if head, version, found := strings.Cut(p.OS, "("); found {
		p.OS = head
		p.OSVersion = strings.TrimSuffix(version, ")")
	}
	return p
}

type row struct {
	Wanted string   `json:"wanted"`
	Only   []string `json:"only"`
	Strict []string `json:"strict"`
}

func choose(c platforms.MatchComparer, candidates []string) []string {
	out := []string{}
	for _, text := range candidates {
		if c.Match(raw(text)) {
			out = append(out, text)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return c.Less(raw(out[i]), raw(out[j])) })
	return out
}

func main() {
	var input struct{ Wanted, Candidates []string }
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		panic(err)
	}
	rows := []row{}
	for _, wanted := range input.Wanted {
		p := raw(wanted)
		rows = append(rows, row{wanted, choose(platforms.Only(p), input.Candidates), choose(platforms.OnlyStrict(p), input.Candidates)})
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	enc.Encode(map[string]any{"candidates": input.Candidates, "rows": rows})
}
