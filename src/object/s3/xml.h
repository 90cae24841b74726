#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir::object {

/// An element of an S3 answer: text or children, no attributes.
struct XmlElement {
  std::string name;  // without a namespace's prefix
  std::string text;
  std::vector<XmlElement> children;

  /// The first child of this name; nullptr when there is none.
  const XmlElement* child(std::string_view name) const;
  /// Its text, or nothing.
  std::string_view child_text(std::string_view name) const;
};

/// The root element. Input is untrusted: Corrupt when it is not well-formed, has a DOCTYPE, or is deeper or larger than
/// limits::kStoreXml... allow.
Result<XmlElement> parse_xml(std::string_view text);

}  // namespace weir::object
