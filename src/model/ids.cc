#include "model/ids.h"

#include "base/hex.h"

namespace weir {

template <class Tag>
std::optional<ContentName<Tag>> ContentName<Tag>::from_hex(std::string_view text) {
  auto bytes = weir::from_hex(text);
  if (!bytes || bytes->size() != 32) return std::nullopt;
  return from_bytes(*bytes);
}

template <class Tag>
std::string ContentName<Tag>::hex() const {
  return to_hex(bytes());
}

template class ContentName<ChunkTag>;
template class ContentName<ManifestTag>;

}  // namespace weir
