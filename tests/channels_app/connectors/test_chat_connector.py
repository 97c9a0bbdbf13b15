"""A delivery over chat is a row in the contact's window."""

from django.db import transaction

from channels_app.connectors.base import Credentials, Receipt
from channels_app.connectors.chat import Chat
from channels_app.models import ChatMessage
from tests.support.channels import NOON, make_channel, make_delivery

connector = Chat()


def deliver(channel, *deliveries):
    with transaction.atomic():
        return connector.deliver(deliveries, Credentials.of(channel), NOON)


def test_each_delivery_stands_in_its_contacts_window(tenant):
    channel = make_channel(tenant)
    ana = make_delivery(channel, {"type": "TEXT", "text": "for Ana"}, address="ana")
    bo = make_delivery(channel, {"type": "TEXT", "text": "for Bo"}, address="bo")
    assert deliver(channel, ana, bo) == [Receipt(), Receipt()]
    (message,) = ChatMessage.objects.window(channel, "bo")
    assert message.payload == {"type": "TEXT", "text": "for Bo"}
    assert (message.sent_at, message.read_at) == (NOON, None)


def test_a_repeated_delivery_is_shown_once_and_stays_as_it_was(tenant):
    channel = make_channel(tenant)
    delivery, other = make_delivery(channel), make_delivery(channel)
    deliver(channel, delivery)
    ChatMessage.objects.update(read_at=NOON)
    assert deliver(channel, delivery, other) == [Receipt(), Receipt()]
    assert ChatMessage.objects.count() == 2
    assert ChatMessage.objects.get(delivery=delivery).read_at == NOON


def test_a_batch_costs_one_statement(tenant, django_assert_num_queries):
    channel = make_channel(tenant)
    deliveries = [make_delivery(channel) for _ in range(50)]
    credentials = Credentials.of(channel)
    with transaction.atomic(), django_assert_num_queries(1):
        connector.deliver(deliveries, credentials, NOON)
