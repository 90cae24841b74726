#include "kv/rows.h"

namespace weir::kv {

KeyRange KeyRange::prefix(std::string_view prefix) {
  Bytes end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return {Bytes(prefix), std::move(end)};
}

std::optional<Bytes> linked_key(const ReadBatch::Link& link, const std::optional<Value>& from) {
  if (!from || from->bytes.size() < link.offset + link.length) return std::nullopt;
  return link.prefix + from->bytes.substr(link.offset, link.length);
}

}  // namespace weir::kv
