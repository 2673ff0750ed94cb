package configs

// validate checks what no single value shows: ranges, references, combinations. It also completes
// the configuration where that needs the whole of it.
func (f *file) validate(root *entry, cfg *Config) {
	for _, p := range cfg.Pools {
		f.nodes(f.entries[p], p)
	}
}

// nodes expands the ellipses of a pool's nodes and writes each address in its one form.
func (f *file) nodes(t *entry, p *Pool) {
	var all []string
	for i, pattern := range p.Nodes {
		e := t.at("nodes").item(i)
		for _, s := range f.expanded(e, pattern) {
			all = append(all, s)
		}
	}
	p.Nodes = all
}

// expanded returns the addresses that a pattern stands for, or reports why it stands for none.
func (f *file) expanded(e *entry, pattern string) []string {
	if e.bad {
		return nil
	}
	addresses, err := expand(pattern, maxNodes)
	if err != nil {
		f.err(e, err.Error(), `write a range as "10.0.0.{1...4}:9000"`)
		return nil
	}
	for i, s := range addresses {
		canonical, bad := parseNode(s)
		if bad != nil {
			f.err(e, bad.what, bad.right)
			return nil
		}
		addresses[i] = canonical
	}
	return addresses
}
