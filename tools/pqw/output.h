// What a failure means for the file that was being written.
#pragma once

#include <functional>
#include <string>

namespace pqw::tool {

// Writes `output` by `write`, then reports on it by `report`. To the message of an error that comes
// out of them, also when memory runs out, it adds what became of the file: it is as it was, it was
// not written, or it is complete. An empty `output` stands for none.
void write_output(const std::string& output, const std::function<void()>& write,
                  const std::function<void()>& report);

}  // namespace pqw::tool
