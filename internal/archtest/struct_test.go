package archtest

import (
	"go/ast"
	"path"
	"strings"
	"testing"
)

// Bounds of a struct that only its package sees, in the rooms of the pipeline. One that grows beyond hides the flow of
// data: stages hand over values.
const (
	mostFields = 12
	mostFiles  = 4
)

// TestStructs: no stage keeps its flow in a struct that everything reads and writes.
func TestStructs(t *testing.T) {
	methods := map[string]map[string]bool{} // files with methods, by package and receiver
	for name, p := range sources(t, nil) {
		if !strings.HasPrefix(name, "pipeline/") {
			continue
		}
		for _, d := range p.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if r := receiver(f); r != "" && !ast.IsExported(r) {
					key := path.Dir(name) + "." + r
					if methods[key] == nil {
						methods[key] = map[string]bool{}
					}
					methods[key][name] = true
				}
			}
		}
		ast.Inspect(p.file, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && !ast.IsExported(s.Name.Name) && fields(s.Type) > mostFields {
				t.Errorf("%s: struct %s has %d fields, more than %d", name, s.Name.Name, fields(s.Type), mostFields)
			}
			return true
		})
	}
	for key, files := range methods {
		if len(files) > mostFiles {
			t.Errorf("methods of %s stand in %d files, more than %d", key, len(files), mostFiles)
		}
	}
}

// receiver is the name of the type of a method, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// fields is the number of fields of a struct, 0 of another type.
func fields(e ast.Expr) int {
	s, ok := e.(*ast.StructType)
	if !ok {
		return 0
	}
	n := 0
	for _, f := range s.Fields.List {
		n += max(len(f.Names), 1)
	}
	return n
}
