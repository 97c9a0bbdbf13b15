from channels_app.models.attempt import Attempt, Outcome
from channels_app.models.channel import Channel
from channels_app.models.chat import ChatMessage
from channels_app.models.delivery import Delivery, Priority, State
from channels_app.models.tally import Tally

__all__ = ["Attempt", "Channel", "ChatMessage", "Delivery", "Outcome", "Priority", "State", "Tally"]
