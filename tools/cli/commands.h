// The verbs: add_VERB adds one to the command line; its work is done while that is parsed.
#pragma once

namespace CLI {
class App;
}

namespace pqw::tool {

void add_quantize(CLI::App& app);
void add_decode(CLI::App& app);
void add_inspect(CLI::App& app);
void add_verify(CLI::App& app);
void add_eval(CLI::App& app);
void add_bench(CLI::App& app);

}  // namespace pqw::tool
