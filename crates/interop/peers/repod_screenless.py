"""Runs an example of repodnet that draws, as it is, without a screen: repod_screenless.py PROGRAM HOST PORT

The libraries that it draws with are replaced. What it writes on the screen is printed, and it is played
with: in the game of tag, the player runs to the right; on the whiteboard, a stroke is drawn.
"""

import runpy
import sys
import time
from types import SimpleNamespace
from unittest.mock import MagicMock

from game import end_with_parent, say

program = sys.argv[1]
shown = set()


def show(text):
    if text not in shown:
        shown.add(text)
        say(text)


# The game of tag.
pyray = MagicMock()
pyray.window_should_close = lambda: False
pyray.is_key_down = lambda key: key is pyray.KeyboardKey.KEY_D
pyray.draw_text = lambda text, *_: show(text)
pyray.end_drawing = lambda: time.sleep(1 / 60)


# The whiteboard.
class Rect:
    def __init__(self, x, y, width, height):
        self.x, self.y, self.width, self.height = x, y, width, height

    @property
    def topleft(self):
        return self.x, self.y

    @topleft.setter
    def topleft(self, position):
        self.x, self.y = position

    def collidepoint(self, position):
        x, y = position
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height


class Surface:
    def __init__(self, size):
        self.size = size

    def get_rect(self):
        return Rect(0, 0, *self.size)

    def fill(self, color):
        pass

    def blit(self, surface, place):
        pass


class Font:
    def __init__(self, name, size):
        pass

    def render(self, text, smooth, color):
        show(text)
        return Surface((len(text), 1))


pygame = MagicMock()
pygame.Rect = Rect
pygame.Surface = Surface
pygame.font.Font = Font
pygame.display.set_mode = Surface
pygame.time.Clock = lambda: SimpleNamespace(tick=lambda rate: time.sleep(1 / rate))
stroke = [(200, 200), (250, 260), (300, 220)]
mouse = SimpleNamespace(position=(0, 0), events=0)


def events():
    """The events of a frame: the stroke, point by point, once the server has said who is there."""
    if not any("players" in text and not text.startswith("connecting") for text in shown):
        return []
    number = mouse.events
    mouse.events += 1
    if number < len(stroke):
        mouse.position = stroke[number]
        kind = pygame.MOUSEBUTTONDOWN if number == 0 else pygame.MOUSEMOTION
        return [SimpleNamespace(type=kind, button=1)]
    if number == len(stroke):
        return [SimpleNamespace(type=pygame.MOUSEBUTTONUP, button=1)]
    return []


pygame.event.get = events
pygame.mouse.get_pos = lambda: mouse.position
pygame.mouse.get_pressed = lambda: (True, False, False)

end_with_parent()
sys.modules["pyray"] = pyray
sys.modules["pygame"] = pygame
sys.argv = sys.argv[1:]
runpy.run_path(program, run_name="__main__")
say("over")
