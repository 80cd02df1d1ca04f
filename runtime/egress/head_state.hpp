// How far the reading of a connection's first bytes is, whatever they are.
#pragma once

namespace brig::egress {

enum class HeadState { need_more, complete, refused };

} // namespace brig::egress
