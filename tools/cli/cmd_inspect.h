// pqw inspect
#pragma once

namespace CLI {
class App;
}

namespace pqw::tool {

// Adds the verb; its work is done while the command line is parsed.
void add_inspect(CLI::App& app);

}  // namespace pqw::tool
