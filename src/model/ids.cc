#include "model/ids.h"

#include "base/hex.h"

namespace weir {

template <class Tag>
std::optional<ContentName<Tag>> ContentName<Tag>::from_hex(std::string_view text) {
  auto bytes = weir::from_hex(text);
  if (!bytes || bytes->size() != 32) return std::nullopt;
  const std::optional<ContentName> name = from_bytes(*bytes);
  // Names of files and objects: one content has one, and another spelling is another file.
  return name && name->hex() == text ? name : std::nullopt;
}

template <class Tag>
std::string ContentName<Tag>::hex() const {
  return to_hex(bytes());
}

template class ContentName<ChunkTag>;
template class ContentName<ManifestTag>;

}  // namespace weir
