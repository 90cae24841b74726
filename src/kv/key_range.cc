#include "kv/engine.h"

namespace weir::kv {

KeyRange KeyRange::prefix(std::string_view prefix) {
  Bytes end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return {Bytes(prefix), std::move(end)};
}

}  // namespace weir::kv
