// The verbs: add_VERB adds a verb to the command line; parsing the command line runs it.
#pragma once

namespace CLI {
class App;
}

namespace pqw::tool {

void add_quantize(CLI::App& app);
void add_import(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_decode(CLI::App& app);
void add_export(CLI::App& app);
void add_inspect(CLI::App& app);
void add_verify(CLI::App& app);
void add_eval(CLI::App& app);
void add_sensitivity(CLI::App& app);
void add_bench(CLI::App& app);

}  // namespace pqw::tool
